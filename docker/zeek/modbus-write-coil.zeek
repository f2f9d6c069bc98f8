##! Function 5 (write single coil) by a client that may not: the rule of the field guide, repaired.
##!
##! Repaired: the field is `function_code` (the guide's `func_code` does not compile); requests alone count (`is_orig`), as a
##! device echoes each write; who may write is a set of clients, not the controller's own address; and the notice has a type.
##! Not run by the tests of this project: the public image of Zeek cannot be pulled where they run.

@load base/frameworks/notice
@load base/protocols/modbus

module FieldGuide;

export {
	redef enum Notice::Type += {
		## A coil was written by a client that is not in `coil_writers`.
		Unauthorised_Coil_Write,
	};

	## Clients that may write single coils: the HMI and the engineering workstation.
	option coil_writers: set[addr] = { 192.168.1.20, 192.168.1.30 };
}

event modbus_message(c: connection, headers: ModbusHeaders, is_orig: bool)
	{
	if ( is_orig && headers$function_code == 5 && c$id$orig_h !in coil_writers )
		NOTICE([$note=Unauthorised_Coil_Write,
		        $msg=fmt("%s writes a coil of %s, unit %d", c$id$orig_h, c$id$resp_h, headers$uid),
		        $conn=c,
		        $identifier=cat(c$id$orig_h, c$id$resp_h, headers$uid)]);
	}
