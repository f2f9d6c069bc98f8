//! Filters of any text, asked of a record of any JSON: no panic, and what a filter prints is the same filter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sensor::Filter;
use sensor::tsv::TsvReader;

fuzz_target!(|text: &str| {
    // The first line is the filter, the rest what it is asked of.
    let (filter, rest) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(filter) = Filter::parse(filter) else { return };
    let again = Filter::parse(&filter.to_string()).expect("what is printed parses");
    assert_eq!(again.to_string(), filter.to_string());
    if let Ok(record) = serde_json::from_str::<serde_json::Value>(rest) {
        assert_eq!(filter.matches(&record), again.matches(&record));
    }
    let mut reader = TsvReader::default();
    for line in rest.lines() {
        if line.starts_with('#') {
            reader.header(line);
        } else {
            let row = reader.row(line);
            assert_eq!(filter.matches(&row), again.matches(&row));
        }
    }
});
