//! A table of assets, found by listening: against what the site's documentation says of the hosts that spoke.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use site::{Criticality, FileError, Host, Site};

use super::{Graded, f1};
use crate::logs::ConnRow;

/// Most rows that are read.
const ROWS_MAX: usize = 4096;
/// Columns that count beside the address, with what they are compared to.
const COLUMNS: [&str; 6] = ["role", "zone", "level", "vendor", "product", "criticality"];

/// Grades a comma-separated table with a header: `address`, and any of `role`, `zone`, `level`, `vendor`, `product`,
/// `criticality`. Addresses by F1 against the hosts that took part in a connection of the record; each other column by the
/// share of its cells that are right; criticality by Spearman's rank correlation with the site's own register, since
/// what matters is the order. The score is half the addresses' F1, and the other half of it times the mean of the columns: a
/// copy of the network plan, most of which never spoke, is no inventory. A column that was left out earns nothing.
///
/// # Errors
/// No header, a column that is not known, no IPv4 address in a row, an address twice, more than 4096 rows.
pub fn grade_inventory(
    file: &str,
    text: &str,
    site: &Site,
    conn: &[impl AsRef<ConnRow>],
) -> Result<Graded, FileError> {
    let handed = read(file, text)?;
    let seen: BTreeSet<Ipv4Addr> = conn
        .iter()
        .map(AsRef::as_ref)
        .flat_map(|row| [&row.client, &row.server])
        .filter_map(|address| address.parse().ok())
        .collect();
    let mut graded = Graded::empty();
    let named: BTreeSet<Ipv4Addr> = handed.rows.keys().copied().collect();
    for address in seen.difference(&named) {
        graded.line(false, format!("{address}"), "spoke and is missing");
    }
    for address in named.difference(&seen) {
        graded.line(false, format!("{address}"), "did not speak in this record");
    }
    let found = named.intersection(&seen).count();
    let hosts = f1(found, seen.len() - found, named.len() - found);
    graded.line(None, "addresses", format!("{found} of {}, {hosts:.0} points", seen.len()));
    let mut columns = 0.0;
    let known: Vec<&Host> = seen.iter().filter_map(|address| site.host_at(*address)).collect();
    for column in COLUMNS {
        columns += if column == "criticality" {
            rank(&handed, &known, &mut graded)
        } else {
            cells(column, &handed, &known, site, &mut graded)
        };
    }
    columns /= COLUMNS.len() as f64;
    graded.line(None, "in all", format!("half of the {hosts:.0} points for addresses, the other half times the {columns:.0} % of their columns"));
    graded.score = hosts * f64::midpoint(1.0, columns / 100.0);
    Ok(graded)
}

/// What the documentation says of a host in a column; nothing where it is silent.
fn documented(column: &str, host: &Host, site: &Site) -> Option<String> {
    let device = site.device_on(host.name.get_ref());
    match column {
        "role" => Some(host.role.as_str().to_owned()),
        "zone" => Some(host.zone.get_ref().clone()),
        "level" => site.zone(host.zone.get_ref()).map(|zone| zone.level.clone()),
        "vendor" => device.map(|device| device.vendor.clone()),
        "product" => device.map(|device| device.product_code.clone()),
        _ => None,
    }
}

fn cells(column: &str, handed: &Table, known: &[&Host], site: &Site, graded: &mut Graded) -> f64 {
    let expected: Vec<(Ipv4Addr, String)> = known
        .iter()
        .filter_map(|host| Some((*host.address.get_ref(), documented(column, host, site)?)))
        .collect();
    let mut right = 0;
    for (address, wanted) in &expected {
        let given = handed.cell(*address, column).unwrap_or_default();
        if same(given, wanted) {
            right += 1;
        } else if !given.is_empty() {
            graded.line(
                false,
                format!("{address}, {column}"),
                format!("{given:?}; the documentation says {wanted:?}"),
            );
        }
    }
    if expected.is_empty() {
        return 0.0;
    }
    let points = 100.0 * f64::from(right) / expected.len() as f64;
    graded.line(None, column, format!("{right} of {} right, {points:.0} points", expected.len()));
    points
}

/// Whether a cell means what the documentation says: case, spaces and hyphens do not matter, and of a level such as
/// `1-3` any part will do.
fn same(given: &str, wanted: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace([' ', '-', '_'], "");
    if plain(given) == plain(wanted) {
        return true;
    }
    let ends: Option<(f64, f64)> =
        wanted.split_once('-').and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
    let level: Option<f64> = given.trim().trim_start_matches(['L', 'l']).parse().ok();
    matches!((ends, level), (Some((low, high)), Some(level)) if (low..=high).contains(&level))
        || level.is_some_and(|level| wanted.parse() == Ok(level))
}

fn rank(handed: &Table, known: &[&Host], graded: &mut Graded) -> f64 {
    let pairs: Vec<(f64, f64)> = known
        .iter()
        .filter_map(|host| {
            let given = handed.cell(*host.address.get_ref(), "criticality")?;
            Some((weight(given)?, place(host.criticality)))
        })
        .collect();
    let share = pairs.len() as f64 / known.len().max(1) as f64;
    let correlation = spearman(&pairs);
    let points = 100.0 * correlation.max(0.0) * share;
    graded.line(
        None,
        "criticality",
        format!(
            "{} of {} hosts ranked, Spearman's rho {correlation:.2}, {points:.0} points",
            pairs.len(),
            known.len()
        ),
    );
    points
}

const fn place(criticality: Criticality) -> f64 {
    match criticality {
        Criticality::Low => 1.0,
        Criticality::Medium => 2.0,
        Criticality::High => 3.0,
        Criticality::Critical => 4.0,
    }
}

fn weight(given: &str) -> Option<f64> {
    match given.trim().to_lowercase().as_str() {
        "low" => Some(1.0),
        "medium" => Some(2.0),
        "high" => Some(3.0),
        "critical" => Some(4.0),
        other => other.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

/// Spearman's rank correlation: Pearson's of the ranks, ties with their mean rank. 0 where either side has no order.
fn spearman(pairs: &[(f64, f64)]) -> f64 {
    let ranks = |values: Vec<f64>| -> Vec<f64> {
        values
            .iter()
            .map(|value| {
                let below = values.iter().filter(|other| *other < value).count() as f64;
                let level = values.iter().filter(|other| *other == value).count() as f64;
                below + f64::midpoint(level, 1.0)
            })
            .collect()
    };
    let one = ranks(pairs.iter().map(|pair| pair.0).collect());
    let other = ranks(pairs.iter().map(|pair| pair.1).collect());
    let mean = f64::midpoint(pairs.len() as f64, 1.0);
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let spread = libm::sqrt(product(&one, &one) * product(&other, &other));
    if spread > 0.0 { product(&one, &other) / spread } else { 0.0 }
}

/// A table as it was handed in.
struct Table {
    columns: Vec<String>,
    rows: BTreeMap<Ipv4Addr, Vec<String>>,
}

impl Table {
    fn cell(&self, address: Ipv4Addr, column: &str) -> Option<&str> {
        let place = self.columns.iter().position(|name| name == column)?;
        self.rows.get(&address)?.get(place).map(String::as_str)
    }
}

fn read(file: &str, text: &str) -> Result<Table, FileError> {
    let wrong = |index: usize, problem: String| FileError {
        file: file.to_owned(),
        line: index + 1,
        problem,
        fix: format!("write a header as in: address,{}", COLUMNS.join(",")),
    };
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let Some((first, header)) = lines.next() else {
        return Err(wrong(0, "there is nothing in it".to_owned()));
    };
    let cells = |line: &str| line.split(',').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let columns: Vec<String> = cells(header).iter().map(|name| name.to_lowercase()).collect();
    let unknown = columns.iter().find(|name| *name != "address" && !COLUMNS.contains(&name.as_str()));
    if let Some(name) = unknown {
        return Err(wrong(first, format!("there is no column {name:?}")));
    }
    let Some(key) = columns.iter().position(|name| name == "address") else {
        return Err(wrong(first, "there is no column \"address\"".to_owned()));
    };
    let mut rows = BTreeMap::new();
    for (index, line) in lines {
        let row = cells(line);
        let cell = row.get(key).map_or("", String::as_str);
        let address = cell.parse().map_err(|_| wrong(index, format!("{cell:?} is no IPv4 address")))?;
        if rows.insert(address, row).is_some() {
            return Err(wrong(index, format!("{address} stands there twice")));
        }
        if rows.len() > ROWS_MAX {
            return Err(wrong(index, format!("more than {ROWS_MAX} rows")));
        }
    }
    Ok(Table { columns, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spearman_as_in_the_textbook() {
        // Wikipedia's example of IQ and hours of television, rho = -29/165.
        let pairs = [
            (106.0, 7.0),
            (100.0, 27.0),
            (86.0, 2.0),
            (101.0, 50.0),
            (99.0, 28.0),
            (103.0, 29.0),
            (97.0, 20.0),
            (113.0, 12.0),
            (112.0, 6.0),
            (110.0, 17.0),
        ];
        assert!((spearman(&pairs) + 29.0 / 165.0).abs() < 1e-12);
        assert_eq!(spearman(&[(1.0, 2.0), (1.0, 3.0)]), 0.0);
        assert_eq!(spearman(&[]), 0.0);
    }

    #[test]
    fn levels_and_words_are_compared_as_people_write_them() {
        assert!(same("L2", "1-3") && same("3", "1-3") && same("1-3", "1-3") && same("L3.5", "3.5"));
        assert!(!same("4", "1-3") && !same("", "1-3") && !same("x", "4"));
        assert!(same("IT historian", "it-historian"));
    }

    #[test]
    fn a_table_is_read_or_said_to_be_wrong() {
        assert_eq!(read("a.csv", "address,role\n10.0.0.1,plc\n10.0.0.1,hmi").err().unwrap().line, 3);
        assert_eq!(read("a.csv", "address,colour\n").err().unwrap().line, 1);
        assert!(read("a.csv", "role\nplc").is_err() && read("a.csv", "").is_err());
        assert_eq!(read("a.csv", "role,address\nplc,10.0.0.1\n").unwrap().rows.len(), 1);
    }
}
