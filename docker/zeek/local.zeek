# What the Zeek of compose.analyst.yaml loads besides its ICSNPP packages.
@load packages
@load ./modbus-write-coil.zeek
redef ignore_checksums = F;
redef LogAscii::use_json = T;
