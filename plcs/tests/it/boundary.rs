//! The table of malformed and boundary requests, `testdata/modbus-boundary.tsv`.

use crate::harness::{Bench, adu, ms};

/// What a row of the table expects.
struct Expected {
    /// `None` for any octet.
    octets: Vec<Option<u8>>,
    /// More octets of the last ADU, whatever they are.
    open_end: bool,
    closes: bool,
}

fn expected(text: &str) -> Expected {
    let (pattern, closes) = match text {
        "silence" => ("", false),
        "close" => ("", true),
        _ => text.strip_suffix(" close").map_or((text, false), |pattern| (pattern, true)),
    };
    let (pattern, open_end) = pattern.strip_suffix('*').map_or((pattern, false), |pattern| (pattern, true));
    let octets = (0..pattern.len() / 2)
        .map(|at| &pattern[2 * at..2 * at + 2])
        .map(|pair| if pair == "??" { None } else { Some(u8::from_str_radix(pair, 16).unwrap()) })
        .collect();
    Expected { octets, open_end, closes }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn matches(answer: &[u8], expected: &Expected) -> bool {
    let front = answer.get(..expected.octets.len());
    let front_fits = front.is_some_and(|front| {
        front.iter().zip(&expected.octets).all(|(octet, wanted)| wanted.is_none_or(|wanted| wanted == *octet))
    });
    let end_fits = if expected.open_end {
        answer.len() >= 6 && answer.len() == 6 + usize::from(u16::from_be_bytes([answer[4], answer[5]]))
    } else {
        answer.len() == expected.octets.len()
    };
    front_fits && end_fits
}

#[test]
fn every_row_of_the_table_gets_what_its_source_names() {
    let table = include_str!("../../../testdata/modbus-boundary.tsv");
    let mut bench = Bench::new("PLC-1");
    let mut rows = 0;
    let mut wrong = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, request, wanted, source] = columns[..] else { panic!("four columns, got {line:?}") };
        let wanted_row = expected(wanted);
        let mut client = bench.connect();
        assert!(client.send(&hex(request)));
        bench.run_for(ms(400));
        let mut answer = client.take();
        if wanted_row.closes {
            bench.run_for(ms(2600));
            answer.extend(client.take());
        }
        let scans = bench.handle.statistics().scans;
        let mut fits = matches(&answer, &wanted_row) && client.is_closed() == wanted_row.closes;
        if !wanted_row.closes && fits {
            // Whatever it was, the connection serves on.
            client.send(&adu(0x0101, 255, &[3, 0, 40, 0, 1]));
            bench.run_for(ms(200));
            fits = client.take() == adu(0x0101, 255, &[3, 2, 0, 100]);
        }
        assert!(bench.handle.statistics().scans >= scans, "the scan stands after {name:?}");
        if !fits {
            wrong.push(format!(
                "{name} ({source}): expected {wanted}, got {answer:02x?}, closed {}",
                client.is_closed()
            ));
        }
        client.hang_up();
        bench.settle();
        rows += 1;
    }
    assert!(wrong.is_empty(), "{} of {rows} rows:\n{}", wrong.len(), wrong.join("\n"));
    assert!(rows >= 60, "only {rows} rows");
    assert_eq!(bench.handle.connections(), 0, "every connection gave its place back");
    for (tag, value) in [("NAOH.SP", 100.0), ("NAOH.MODE", 1.0), ("LIC-301.MAN", 76.0)] {
        assert_eq!(bench.handle.snapshot(tag), Some(value), "{tag}");
    }
}
