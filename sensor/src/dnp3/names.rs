//! Words of ICSNPP's logs: names of objects, control codes and status codes.
//!
//! These are values that tools filter by, so they are that package's to the letter (icsnpp-dnp3, commit 6e997bf).

use wire::dnp3::object::{OperationType, TripClose};

/// Names of objects, by group and variation, in order. What is not here has no row in `dnp3_objects.log`.
const OBJECTS: &[(u8, u8, &str)] = &[
    (0, 209, "Device Attributes - Secure Authentication Version"),
    (0, 210, "Device Attributes - Number of Security Statistics per Association"),
    (0, 211, "Device Attributes - Identification of Support for User-Specific Attributes"),
    (0, 212, "Device Attributes - Number of Master-Defined Data Set Properties"),
    (0, 213, "Device Attributes - Number of Outstation-Defined Data Set Properties"),
    (0, 214, "Device Attributes - Number of Master-Defined Data Sets"),
    (0, 215, "Device Attributes - Number of Outstation-Defined Data Sets"),
    (0, 216, "Device Attributes - Maximum Number of Binary Output Objects per Request"),
    (0, 217, "Device Attributes - Local Timing Accuracy"),
    (0, 218, "Device Attributes - Duration of Time Accuracy"),
    (0, 219, "Device Attributes - Support for Analog Output Events"),
    (0, 220, "Device Attributes - Maximum Analog Output Index"),
    (0, 221, "Device Attributes - Number of Analog Outputs"),
    (0, 222, "Device Attributes - Support for Binary Output Events"),
    (0, 223, "Device Attributes - Maximum Binary Output Index"),
    (0, 224, "Device Attributes - Number of Binary Outputs"),
    (0, 225, "Device Attributes - Support for Frozen Counter Events"),
    (0, 226, "Device Attributes - Support for Frozen Counters"),
    (0, 227, "Device Attributes - Support for Counter Events"),
    (0, 228, "Device Attributes - Maximum Counter Index"),
    (0, 229, "Device Attributes - Number of Counter Points"),
    (0, 230, "Device Attributes - Support for Frozen Analog Inputs"),
    (0, 231, "Device Attributes - Support for Analog Input Events"),
    (0, 232, "Device Attributes - Maximum Analog Input Index"),
    (0, 233, "Device Attributes - Number of Analog Input Points"),
    (0, 234, "Device Attributes - Support for Double-Bit Binary Events"),
    (0, 235, "Device Attributes - Maximum Double-Bit Binary Index"),
    (0, 236, "Device Attributes - Number of Double-Bit Binary Input Points"),
    (0, 237, "Device Attributes - Support for Binary Input Events"),
    (0, 238, "Device Attributes - Maximum Binary Input Index"),
    (0, 239, "Device Attributes - Number of Binary Input Points"),
    (0, 240, "Device Attributes - Maximum Transmit Fragment Size"),
    (0, 241, "Device Attributes - Maximum Receive Fragment Size"),
    (0, 242, "Device Attributes - Device Manufacturer Software Version"),
    (0, 243, "Device Attributes - Device Manufacturer Hardware Version"),
    (0, 245, "Device Attributes - User-Assigned Location Name"),
    (0, 246, "Device Attributes - User-Assigned ID Code or Number"),
    (0, 247, "Device Attributes - User-Assigned Device Name"),
    (0, 248, "Device Attributes - Device Serial Number"),
    (0, 249, "Device Attributes - DNP3 Subset and Conformance"),
    (0, 250, "Device Attributes - Device Manufacturer Product Name and Model"),
    (0, 252, "Device Attributes - Device Manufacturer Name"),
    (0, 254, "Device Attributes - Non-Specific All Attributes Request"),
    (0, 255, "Device Attributes - List of Attribute Variations"),
    (1, 0, "Binary Input Default Variation"),
    (1, 1, "Single-bit Binary Input"),
    (1, 2, "Binary Input With Status"),
    (2, 0, "Binary Input Change Default Variation"),
    (2, 1, "Binary Input Change Without Time"),
    (2, 2, "Binary Input Change With Time"),
    (2, 3, "Binary Input Change With Relative Time"),
    (3, 0, "Double-bit Input Default Variation"),
    (3, 1, "Double-bit Input No Flags"),
    (3, 2, "Double-bit Input With Status"),
    (4, 0, "Double-bit Input Change Default Variation"),
    (4, 1, "Double-bit Input Change Without Time"),
    (4, 2, "Double-bit Input Change With Time"),
    (4, 3, "Double-bit Input Change With Relative Time"),
    (10, 0, "Binary Output Default Variation"),
    (10, 1, "Binary Output"),
    (10, 2, "Binary Output Status"),
    (11, 0, "Binary Output Change Default Variation"),
    (11, 1, "Binary Output Change Without Time"),
    (11, 2, "Binary Output Change With Time"),
    (20, 0, "Binary Counter Default Variation"),
    (20, 1, "32-Bit Binary Counter"),
    (20, 2, "16-Bit Binary Counter"),
    (20, 3, "32-Bit Delta Counter"),
    (20, 4, "16-Bit Delta Counter"),
    (20, 5, "32-Bit Binary Counter Without Flag"),
    (20, 6, "16-Bit Binary Counter Without Flag"),
    (20, 7, "32-Bit Delta Counter Without Flag"),
    (20, 8, "16-Bit Delta Counter Without Flag"),
    (21, 0, "Frozen Binary Counter Default Variation"),
    (21, 1, "32-Bit Frozen Counter"),
    (21, 2, "16-Bit Frozen Counter"),
    (21, 3, "32-Bit Frozen Delta Counter"),
    (21, 4, "16-Bit Frozen Delta Counter"),
    (21, 5, "32-Bit Frozen Counter w/ Time of Freeze"),
    (21, 6, "16-Bit Frozen Counter w/ Time of Freeze"),
    (21, 7, "32-Bit Frozen Delta Counter w/ Time of Freeze"),
    (21, 8, "16-Bit Frozen Delta Counter w/ Time of Freeze"),
    (21, 9, "32-Bit Frozen Counter Without Flag"),
    (21, 10, "16-Bit Frozen Counter Without Flag"),
    (21, 11, "32-Bit Frozen Delta Counter Without Flag"),
    (21, 12, "16-Bit Frozen Delta Counter Without Flag"),
    (22, 0, "Counter Change Event Default Variation"),
    (22, 1, "32-Bit Counter Change Event w/o Time"),
    (22, 2, "16-Bit Counter Change Event w/o Time"),
    (22, 3, "32-Bit Delta Counter Change Event w/o Time"),
    (22, 4, "16-Bit Delta Counter Change Event w/o Time"),
    (22, 5, "32-Bit Counter Change Event with Time"),
    (22, 6, "16-Bit Counter Change Event with Time"),
    (22, 7, "32-Bit Delta Counter Change Event with Time"),
    (22, 8, "16-Bit Delta Counter Change Event with Time"),
    (23, 0, "Frozen Binary Counter Change Event Default Variation"),
    (23, 1, "32-Bit Frozen Counter Change Event"),
    (23, 2, "16-Bit Frozen Counter Change Event"),
    (23, 3, "32-Bit Frozen Delta Counter Change Event"),
    (23, 4, "16-Bit Frozen Delta Counter Change Event"),
    (23, 5, "32-Bit Frozen Counter Change Event w/ Time of Freeze"),
    (23, 6, "16-Bit Frozen Counter Change Event w/ Time of Freeze"),
    (23, 7, "32-Bit Frozen Delta Counter Change Event w/ Time of Freeze"),
    (23, 8, "16-Bit Frozen Delta Counter Change Event w/ Time of Freeze"),
    (30, 0, "Analog Input Default Variation"),
    (30, 1, "32-Bit Analog Input"),
    (30, 2, "16-Bit Analog Input"),
    (30, 3, "32-Bit Analog Input Without Flag"),
    (30, 4, "16-Bit Analog Input Without Flag"),
    (30, 5, "32-Bit Floating Point Input"),
    (30, 6, "64-Bit Floating Point Input"),
    (31, 1, "32-Bit Frozen Analog Input"),
    (31, 2, "16-Bit Frozen Analog Input"),
    (31, 3, "32-Bit Frozen Analog Input w/ Time of Freeze"),
    (31, 4, "16-Bit Frozen Analog Input w/ Time of Freeze"),
    (31, 5, "32-Bit Frozen Analog Input Without Flag"),
    (31, 6, "16-Bit Frozen Analog Input Without Flag"),
    (31, 7, "32-Bit Frozen Floating Point Input"),
    (31, 8, "64-Bit Frozen Floating Point Input"),
    (32, 0, "Analog Input Change Default Variation"),
    (32, 1, "32-Bit Analog Change Event w/o Time"),
    (32, 2, "16-Bit Analog Change Event w/o Time"),
    (32, 3, "32-Bit Analog Change Event w/ Time"),
    (32, 4, "16-Bit Analog Change Event w/ Time"),
    (32, 5, "32-Bit Floating Point Change Event w/o Time"),
    (32, 6, "64-Bit Floating Point Change Event w/o Time"),
    (32, 7, "32-Bit Floating Point Change Event w/ Time"),
    (32, 8, "64-Bit Floating Point Change Event w/ Time"),
    (33, 1, "32-Bit Frozen Analog Event w/o Time"),
    (33, 2, "16-Bit Frozen Analog Event w/o Time"),
    (33, 3, "32-Bit Frozen Analog Event w/ Time"),
    (33, 4, "16-Bit Frozen Analog Event w/ Time"),
    (33, 5, "32-Bit Floating Point Frozen Change Event w/o Time"),
    (33, 6, "64-Bit Floating Point Frozen Change Event w/o Time"),
    (33, 7, "32-Bit Floating Point Frozen Change Event w/ Time"),
    (33, 8, "64-Bit Floating Point Frozen Change Event w/ Time"),
    (40, 0, "Analog Output Default Variation"),
    (40, 1, "32-Bit Analog Output Status"),
    (40, 2, "16-Bit Analog Output Status"),
    (40, 3, "32-Bit Floating Point Output Status"),
    (40, 4, "64-Bit Floating Point Output Status"),
    (41, 1, "32-Bit Analog Output Block"),
    (41, 2, "16-Bit Analog Output Block"),
    (41, 3, "32-Bit Floating Point Output Block"),
    (41, 4, "64-Bit Floating Point Output Block"),
    (42, 0, "Analog Output Event Default Variation"),
    (42, 1, "32-Bit Analog Output Event w/o Time"),
    (42, 2, "16-Bit Analog Output Event w/o Time"),
    (42, 3, "32-Bit Analog Output Event w/ Time"),
    (42, 4, "16-Bit Analog Output Event w/ Time"),
    (42, 5, "32-Bit Floating Point Output Event w/o Time"),
    (42, 6, "64-Bit Floating Point Output Event w/o Time"),
    (42, 7, "32-Bit Floating Point Output Event w/ Time"),
    (42, 8, "64-Bit Floating Point Output Event w/ Time"),
    (60, 1, "Class 0 Data"),
    (60, 2, "Class 1 Data"),
    (60, 3, "Class 2 Data"),
    (60, 4, "Class 3 Data"),
];

/// By group: the first row of [`OBJECTS`] that is of this group or a later one.
static GROUPS: [u8; 257] = {
    assert!(OBJECTS.len() < 256);
    let (mut first, mut group, mut row) = ([0; 257], 0, 0);
    while group < first.len() {
        while row < OBJECTS.len() && (OBJECTS[row].0 as usize) < group {
            row += 1;
        }
        first[group] = row as u8;
        group += 1;
    }
    first
};

/// Name of an object; `None` where ICSNPP has none.
pub(crate) fn object(group: u8, variation: u8) -> Option<&'static str> {
    let (first, end) = (GROUPS[usize::from(group)], GROUPS[usize::from(group) + 1]);
    let of_group = OBJECTS.get(usize::from(first)..usize::from(end))?;
    // Groups have few variations, numbered from 0 or 1: a search meets it at once.
    let guess = of_group.get(usize::from(variation)).into_iter();
    let row = guess.chain(of_group).find(|row| row.1 == variation)?;
    Some(row.2)
}

/// The trip-close code of a control relay output block.
pub(crate) const fn trip_close(code: TripClose) -> &'static str {
    match code {
        TripClose::Nul => "Nul",
        TripClose::Close => "Close",
        TripClose::Trip => "Trip",
        TripClose::Reserved => "unknown-3",
    }
}

/// What a control relay output block asks for.
pub(crate) const fn operation(operation: OperationType) -> &'static str {
    match operation {
        OperationType::Nul => "Nul",
        OperationType::PulseOn => "Pulse On",
        OperationType::PulseOff => "Pulse Off",
        OperationType::LatchOn => "Latch On",
        OperationType::LatchOff => "Latch Off",
        OperationType::Undefined(code) => {
            const UNKNOWN: [&str; 16] = [
                "unknown-0",
                "unknown-1",
                "unknown-2",
                "unknown-3",
                "unknown-4",
                "unknown-5",
                "unknown-6",
                "unknown-7",
                "unknown-8",
                "unknown-9",
                "unknown-a",
                "unknown-b",
                "unknown-c",
                "unknown-d",
                "unknown-e",
                "unknown-f",
            ];
            UNKNOWN[(code & 0x0f) as usize]
        }
    }
}

/// Status codes of commands. That 5 is called `Latch Off` is the package's slip; the standard says "already active",
/// and everything from there to 7 is one off. It is kept, so that one filter finds the same rows in both.
pub(crate) fn status(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "Success",
        1 => "Timeout",
        2 => "No Select",
        3 => "Format Error",
        4 => "Not Supported",
        5 => "Latch Off",
        6 => "Already Active",
        7 => "Hardware Error",
        8 => "Too Many Objs",
        9 => "Not Authorized",
        10 => "Automation Inhibit",
        11 => "Processing Limited",
        12 => "Out of Range",
        126 => "Non Participating",
        127 => "Undefined",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_by_group_and_variation() {
        assert!(OBJECTS.is_sorted_by_key(|row| (row.0, row.1)));
        assert_eq!(object(30, 2), Some("16-Bit Analog Input"));
        assert_eq!(object(60, 4), Some("Class 3 Data"));
        assert_eq!(object(12, 1), None);
        assert_eq!(operation(OperationType::Undefined(11)), "unknown-b");
    }
}
