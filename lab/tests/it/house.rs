//! Who may use whom, how long a file may be: read from `cargo metadata` and the tree itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The arrows of ARCHITECTURE.md: crate, and the crates of this workspace that it may use.
const ALLOWED: [(&str, &[&str]); 11] = [
    ("site", &[]),
    ("record", &[]),
    ("wire", &[]),
    ("net", &["site", "record", "wire"]),
    ("clients", &["site", "record", "wire"]),
    ("sim", &["site", "record"]),
    ("plcs", &["site", "record", "wire", "clients"]),
    ("scenarios", &["site", "record", "wire", "clients", "net"]),
    ("sensor", &["site", "record", "wire"]),
    ("quizzes", &["site", "record", "sensor"]),
    ("lab", &["site", "record", "wire", "net", "clients", "sim", "plcs", "scenarios", "sensor", "quizzes"]),
];

/// Crates of other people that a crate of ours must not link, not even through others.
const FORBIDDEN_OUTSIDE: [(&str, &[&str]); 2] =
    [("sim", &["tokio", "mio", "socket2", "smoltcp"]), ("sensor", &["smoltcp", "tokio-modbus"])];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("lab stands in the workspace").to_owned()
}

fn metadata() -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

#[test]
fn the_dependency_arrows_hold() {
    let metadata = metadata();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    let members: Vec<&serde_json::Value> = metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .filter(|package| package["source"].is_null())
        .collect();
    assert_eq!(
        members.len(),
        ALLOWED.len(),
        "a crate came or went: draw its arrows here and in ARCHITECTURE.md"
    );
    for package in members {
        let name = package["name"].as_str().expect("name");
        let may_use = allowed[name];
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().expect("name");
            if !dependency["path"].is_null() && dependency["kind"].is_null() {
                assert!(may_use.contains(&used), "{name} must not use {used}");
            }
        }
    }
}

#[test]
fn what_must_not_be_linked_is_not() {
    for (name, forbidden) in FORBIDDEN_OUTSIDE {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--locked", "-p", name, "-e", "normal", "--prefix", "none", "--format", "{p}"])
            .current_dir(root())
            .output()
            .expect("cargo tree runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8_lossy(&output.stdout).into_owned();
        for line in tree.lines() {
            let used = line.split(' ').next().unwrap_or_default();
            assert!(!forbidden.contains(&used), "{name} links {used}");
        }
    }
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("directory").flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if !["target", "runs", ".git"].iter().any(|skipped| name == *skipped) {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_file_grows_past_seven_hundred_lines() {
    let mut files = Vec::new();
    rust_files(&root(), &mut files);
    assert!(files.len() > 50, "the walk found the tree");
    for file in files {
        let lines = std::fs::read_to_string(&file).expect("readable").lines().count();
        assert!(lines <= 700, "{}: {lines} lines: look for the missing idea", file.display());
    }
}

#[test]
fn the_table_of_hands_on_is_as_the_repository_has_it_and_leads_somewhere() {
    let house = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = crate::command::done(["list", "hands-on", "--markdown"]);
    let kept = fs::read_to_string(house.join("docs/hands-on.md")).unwrap();
    assert_eq!(page, kept, "fieldrange list hands-on --markdown > docs/hands-on.md");
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&crate::command::done(["list", "hands-on", "--json"])).unwrap();
    let console = fs::read_to_string(house.join("lab/src/console/mod.rs")).unwrap();
    let help = crate::command::done(["--help"]);
    let scenarios = crate::command::done(["list", "scenarios"]);
    for row in &rows {
        for place in row["where"].as_array().unwrap() {
            let (kind, name) = place.as_str().unwrap().split_once(':').unwrap();
            let leads = match kind {
                "file" => house.join(name).exists(),
                "page" => console.contains(&format!("\"/{name}\"")),
                "command" => help.contains(&format!("\n  {name} ")),
                "scenario" => scenarios.contains(&format!("\n{name}\t")),
                // Looked at where the questions and tasks are.
                _ => true,
            };
            assert!(leads, "row {}: {kind}:{name}", row["name"]);
        }
    }
}
