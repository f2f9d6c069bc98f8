# Zeek with the ICSNPP parsers, for the profile `zeek` of compose.analyst.yaml: in the lab's networks there is no way out to fetch them.
# Not run by this project's tests: the image cannot be pulled where they run.
FROM zeek/zeek:latest
RUN zkg install --force icsnpp-modbus icsnpp-dnp3
COPY zeek /rules
WORKDIR /logs
CMD ["zeek", "-i", "eth1", "/rules/local.zeek"]
