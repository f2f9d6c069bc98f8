//! Function codes of the application layer (IEEE 1815-2012, table 4-1).

/// A function code, known or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionCode(pub u8);

macro_rules! codes {
    ($($code:literal $name:ident $text:literal;)*) => {
        impl FunctionCode {
            $(#[doc = $text] pub const $name: Self = Self($code);)*

            /// Every function code of the standard, in order.
            pub const KNOWN: &'static [Self] = &[$(Self::$name),*];

            /// Its name as Zeek writes it; `None` where the standard does not know it.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    0x00 CONFIRM "Application confirmation.";
    0x01 READ "Read.";
    0x02 WRITE "Write.";
    0x03 SELECT "Select an output, to be operated next.";
    0x04 OPERATE "Operate an output that was selected.";
    0x05 DIRECT_OPERATE "Operate an output without selecting it first.";
    0x06 DIRECT_OPERATE_NR "The same, without an answer.";
    0x07 IMMED_FREEZE "Freeze counters or analog inputs now.";
    0x08 IMMED_FREEZE_NR "The same, without an answer.";
    0x09 FREEZE_CLEAR "Freeze and clear counters.";
    0x0a FREEZE_CLEAR_NR "The same, without an answer.";
    0x0b FREEZE_AT_TIME "Freeze at a time.";
    0x0c FREEZE_AT_TIME_NR "The same, without an answer.";
    0x0d COLD_RESTART "Restart as if from power up.";
    0x0e WARM_RESTART "Restart the DNP3 application.";
    0x0f INITIALIZE_DATA "Initialise data (obsolete).";
    0x10 INITIALIZE_APPL "Make an application ready to run.";
    0x11 START_APPL "Start an application.";
    0x12 STOP_APPL "Stop an application.";
    0x13 SAVE_CONFIG "Save the configuration (deprecated).";
    0x14 ENABLE_UNSOLICITED "Enable unsolicited responses.";
    0x15 DISABLE_UNSOLICITED "Disable unsolicited responses.";
    0x16 ASSIGN_CLASS "Assign points to a class of events.";
    0x17 DELAY_MEASURE "Measure the delay of the way.";
    0x18 RECORD_CURRENT_TIME "Note the time at which this arrived.";
    0x19 OPEN_FILE "Open a file.";
    0x1a CLOSE_FILE "Close a file.";
    0x1b DELETE_FILE "Delete a file.";
    0x1c GET_FILE_INFO "Tell about a file.";
    0x1d AUTHENTICATE_FILE "Get the key to a file.";
    0x1e ABORT_FILE "Give up a file operation.";
    0x1f ACTIVATE_CONFIG "Activate a configuration.";
    0x20 AUTHENTICATE_REQ "Authentication request.";
    0x21 AUTHENTICATE_ERR "Authentication request without an answer.";
    0x81 RESPONSE "Response.";
    0x82 UNSOLICITED_RESPONSE "Unsolicited response.";
    0x83 AUTHENTICATE_RESP "Authentication response.";
}

impl FunctionCode {
    /// From an outstation: its header has internal indications. By the high bit, so true of unknown codes too.
    pub const fn is_response(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// A request to which no response is due: 6, 8, 10, 12, 33, and confirmations.
    pub const fn is_without_response(self) -> bool {
        matches!(self.0, 0x00 | 0x06 | 0x08 | 0x0a | 0x0c | 0x21)
    }

    /// Select, operate or direct operate: acts on an output.
    pub const fn is_control(self) -> bool {
        matches!(self.0, 0x03..=0x06)
    }

    /// Freezes counters or analog inputs.
    pub const fn is_freeze(self) -> bool {
        matches!(self.0, 0x07..=0x0c)
    }

    /// Cold or warm restart.
    pub const fn is_restart(self) -> bool {
        matches!(self.0, 0x0d | 0x0e)
    }

    /// Initialise, start or stop an application, save or activate a configuration.
    pub const fn is_application_control(self) -> bool {
        matches!(self.0, 0x0f..=0x13 | 0x1f)
    }

    /// Open, close, delete, information, authentication, abort: acts on a file.
    pub const fn is_file(self) -> bool {
        matches!(self.0, 0x19..=0x1e)
    }

    /// Requests whose object headers name points or classes without saying anything about them.
    pub(super) const fn names_only(self) -> bool {
        matches!(self.0, 0x01 | 0x07..=0x0c | 0x0f | 0x14..=0x16)
    }
}
