//! Controllers: image, scan, logic, Modbus server.
