//! A scenario: its file, read and checked against the site it plays on.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use record::{EntityId, Role, StartTime, Verdict};
use serde::{Deserialize, Serialize};
use serde_spanned::Spanned;
use site::file::Source;
use site::{FileError, Site};

use crate::deed::{Deed, Name};
use crate::span::Term;
use crate::texts::{ENGLISH, Texts, is_language_code};
use crate::variable::Variable;

/// Scenarios that come with Fieldrange: name, file, texts.
const BUNDLED: [(&str, &str, &str); 16] = [
    (
        "first-shift",
        include_str!("../scenarios/first-shift/scenario.toml"),
        include_str!("../scenarios/first-shift/texts/en.toml"),
    ),
    (
        "oldsmar",
        include_str!("../scenarios/oldsmar/scenario.toml"),
        include_str!("../scenarios/oldsmar/texts/en.toml"),
    ),
    (
        "night-tank",
        include_str!("../scenarios/night-tank/scenario.toml"),
        include_str!("../scenarios/night-tank/texts/en.toml"),
    ),
    (
        "ordinary-day",
        include_str!("../scenarios/ordinary-day/scenario.toml"),
        include_str!("../scenarios/ordinary-day/texts/en.toml"),
    ),
    (
        "breaker-sweep",
        include_str!("../scenarios/breaker-sweep/scenario.toml"),
        include_str!("../scenarios/breaker-sweep/texts/en.toml"),
    ),
    (
        "aurora",
        include_str!("../scenarios/aurora/scenario.toml"),
        include_str!("../scenarios/aurora/texts/en.toml"),
    ),
    (
        "switching-order",
        include_str!("../scenarios/switching-order/scenario.toml"),
        include_str!("../scenarios/switching-order/texts/en.toml"),
    ),
    (
        "far-tank",
        include_str!("../scenarios/far-tank/scenario.toml"),
        include_str!("../scenarios/far-tank/texts/en.toml"),
    ),
    (
        "task-list",
        include_str!("../scenarios/task-list/scenario.toml"),
        include_str!("../scenarios/task-list/texts/en.toml"),
    ),
    (
        "rogue-station",
        include_str!("../scenarios/rogue-station/scenario.toml"),
        include_str!("../scenarios/rogue-station/texts/en.toml"),
    ),
    (
        "quiet-reader",
        include_str!("../scenarios/quiet-reader/scenario.toml"),
        include_str!("../scenarios/quiet-reader/texts/en.toml"),
    ),
    (
        "slow-creep",
        include_str!("../scenarios/slow-creep/scenario.toml"),
        include_str!("../scenarios/slow-creep/texts/en.toml"),
    ),
    (
        "change-window",
        include_str!("../scenarios/change-window/scenario.toml"),
        include_str!("../scenarios/change-window/texts/en.toml"),
    ),
    (
        "eager-scan",
        include_str!("../scenarios/eager-scan/scenario.toml"),
        include_str!("../scenarios/eager-scan/texts/en.toml"),
    ),
    (
        "address-list",
        include_str!("../scenarios/address-list/scenario.toml"),
        include_str!("../scenarios/address-list/texts/en.toml"),
    ),
    (
        "borrowed-badge",
        include_str!("../scenarios/borrowed-badge/scenario.toml"),
        include_str!("../scenarios/borrowed-badge/texts/en.toml"),
    ),
];

/// Texts in other languages that come with Fieldrange: scenario, language, texts.
const TRANSLATED: [(&str, &str, &str); 2] = [
    ("first-shift", "de", include_str!("../scenarios/first-shift/texts/de.toml")),
    ("oldsmar", "de", include_str!("../scenarios/oldsmar/texts/de.toml")),
];

/// A deed as it stands in a file.
pub type DeedTerm = Deed<Spanned<Term>, Spanned<Term>>;

/// What the file of a scenario holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// Name, the same as the folder's.
    pub id: Name,
    /// Counts up when a record of an older version can no longer be compared.
    pub version: u32,
    /// Plant by name.
    pub plant: String,
    /// Site by name.
    pub site: Name,
    /// Start in UTC.
    pub start: StartTime,
    /// Length of the run.
    pub duration: Spanned<String>,
    /// How long the run is ordinary for certain, so that a baseline can be learnt.
    pub learn: Spanned<String>,
    /// For whom it is.
    #[serde(default)]
    pub audience: Option<Audience>,
    /// What it imitates.
    #[serde(rename = "reference", default)]
    pub references: Vec<Reference>,
    /// What the seed decides.
    #[serde(rename = "var", default)]
    pub variables: Vec<Variable>,
    /// Values that controllers start with, where they are not the ordinary ones.
    #[serde(rename = "preset", default)]
    pub presets: Vec<PresetFile>,
    /// Controllers whose key somebody left in Program: they take start and stop from the network.
    #[serde(default)]
    pub keys_in_program: Vec<Name>,
    /// Machines that the site's documentation does not know.
    #[serde(rename = "host", default)]
    pub hosts: Vec<site::Host>,
    /// Who works all the time.
    #[serde(rename = "actor", default)]
    pub actors: Vec<Actor>,
    /// Labelled events that are no attack.
    #[serde(rename = "benign", default)]
    pub benign: Vec<EventFile>,
    /// Ordinary work that nobody labels.
    #[serde(rename = "ordinary", default)]
    pub ordinary: Vec<EventFile>,
    /// Steps of an attack.
    #[serde(rename = "step", default)]
    pub steps: Vec<EventFile>,
    /// What people are told from outside the plant's network.
    #[serde(rename = "inject", default)]
    pub injects: Vec<InjectFile>,
    /// What a blind run may turn out to be.
    #[serde(default)]
    pub blind: Option<BlindFile>,
}

/// `[[preset]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresetFile {
    /// Tag that a controller takes.
    pub tag: Name,
    /// Value in the tag's unit, one of its states, or a variable.
    pub value: Spanned<Term>,
    /// What words of the variable mean as a value; without it they are states of the tag.
    #[serde(default)]
    pub words: BTreeMap<String, f64>,
}

/// `[[actor]]`: who works all the time, and how often.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Actor {
    /// Operator station: polls every controller, shows values and alarms, lets the operator write.
    Hmi {
        /// Host.
        on: Name,
        /// Time between two polls of one controller.
        period: Spanned<String>,
    },
    /// SCADA front end with the dispatcher's screens: a DNP3 session to each outstation, polls of the other controllers.
    FrontEnd {
        /// Host.
        on: Name,
        /// Time between two polls of events, and of a controller that is no outstation.
        period: Spanned<String>,
        /// Time between two integrity polls.
        integrity: Spanned<String>,
        /// Controllers; all of the site where it is left out.
        #[serde(default)]
        devices: Vec<Name>,
    },
    /// OT historian: polls every controller and serves what it keeps.
    Historian {
        /// Host.
        on: Name,
        /// Time between two polls of one controller.
        period: Spanned<String>,
        /// Input register that its configuration still asks for at start, though no controller has it any more.
        #[serde(default)]
        stale_register: Option<u16>,
    },
    /// Historian of the enterprise: copies from the OT historian.
    Replication {
        /// Host that copies.
        from: Name,
        /// Historian that it copies from.
        to: Name,
        /// Time between two copies.
        period: Spanned<String>,
    },
}

/// `[[step]]`, `[[benign]]` or `[[ordinary]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventFile {
    /// Name, unique in the scenario.
    pub id: Name,
    /// Story it belongs to; its own name where it is left out.
    #[serde(default)]
    pub campaign: Option<String>,
    /// When, counted from the start of the run.
    #[serde(default)]
    pub at: Option<Spanned<Term>>,
    /// After the time of another event, whether that takes place or not.
    #[serde(default)]
    pub after: Option<Name>,
    /// How long after.
    #[serde(default)]
    pub delay: Option<Spanned<Term>>,
    /// Event without which this does not happen.
    #[serde(default)]
    pub needs: Option<Name>,
    /// Again and again, each time after so long and a drawn part of it (ordinary work only).
    #[serde(default)]
    pub every: Option<Spanned<Term>>,
    /// Variables and the words that they must have for this to happen; `level` is one of them in every scenario.
    #[serde(default)]
    pub only: BTreeMap<String, String>,
    /// Cause of a blind run to which it belongs; steps belong to `attack`.
    #[serde(default)]
    pub cause: Option<Spanned<String>>,
    /// What is done.
    #[serde(rename = "do")]
    pub deed: DeedTerm,
    /// What it really is (benign events only).
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// Change ticket that covers it.
    #[serde(default)]
    pub ticket: Option<String>,
    /// ATT&CK for ICS technique ids, most specific first (steps only).
    #[serde(default)]
    pub techniques: Vec<Spanned<String>>,
    /// Weight, 1 to 3.
    #[serde(default)]
    pub severity: Option<Spanned<u8>>,
    /// Limit of the plant file that it leads to.
    #[serde(default)]
    pub limit: Option<String>,
    /// Points it touches, where they are not those that the deed names.
    #[serde(default)]
    pub points: Option<Vec<EntityId>>,
}

/// For whom a scenario is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audience {
    /// What is taken for granted.
    pub level: Level,
    /// How long a person needs, debriefing included, min.
    pub minutes: u32,
    /// Whom it was made for: `analyst`, `operator`, `engineer`...
    pub people: Vec<String>,
}

/// What a scenario takes for granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing.
    First,
    /// A first shift, and a look into Wireshark.
    Practised,
    /// What is usual at the plant, and the protocols.
    Experienced,
}

/// What a scenario imitates, and where to read of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Campaign, group or software in ATT&CK, `C0041`.
    #[serde(default)]
    pub attack: Option<Spanned<String>>,
    /// Where to read of it.
    pub source: String,
}

/// `[[inject]]`: said at a time, or so long after an event and only if that takes place. Its text stands in the texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InjectFile {
    /// Name, unique in the scenario.
    pub id: Name,
    /// When, counted from the start of the run.
    #[serde(default)]
    pub at: Option<Spanned<Term>>,
    /// Event to which it belongs.
    #[serde(default)]
    pub after: Option<Name>,
    /// How long after.
    #[serde(default)]
    pub delay: Option<Spanned<Term>>,
    /// Event without which it is not said; the one of `after` where it is left out.
    #[serde(default)]
    pub needs: Option<Name>,
    /// Roles that are told; everybody where it is left out.
    #[serde(default)]
    pub to: Vec<Role>,
    /// How it reaches them: `telephone`, `mail`, `vpn`...
    pub channel: String,
}

/// `[blind]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlindFile {
    /// Causes, one of which the seed draws.
    pub causes: Spanned<Vec<String>>,
}

/// One scenario with its texts, checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file, as the person named it.
    pub(crate) file_name: String,
    /// Its text, for the lines of errors.
    pub(crate) text: String,
    /// What it holds.
    pub(crate) file: ScenarioFile,
    /// What it says to people.
    pub(crate) texts: Texts,
    /// The language of these.
    pub(crate) language: String,
    /// The site it plays on.
    pub(crate) site: Site,
}

impl Scenario {
    /// Names of the scenarios that come with Fieldrange.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUNDLED.iter().map(|(name, _, _)| *name)
    }

    /// A scenario that comes with Fieldrange.
    pub fn named(name: &str) -> Result<Self, FileError> {
        match BUNDLED.iter().find(|(bundled, _, _)| *bundled == name) {
            Some((_, text, texts)) => Self::parse(&format!("{name}/scenario.toml"), text, texts),
            None => Err(FileError {
                file: name.to_owned(),
                line: 0,
                problem: format!("no scenario is called {name:?}"),
                fix: format!(
                    "name one of {}, or a folder with a scenario.toml",
                    Self::names().collect::<Vec<_>>().join(", ")
                ),
            }),
        }
    }

    /// A scenario from a folder, or from the `scenario.toml` in it.
    pub fn from_path(path: &Path) -> Result<Self, FileError> {
        let folder = folder_of(path);
        let read = |path: &Path| {
            fs::read_to_string(path).map_err(|e| FileError {
                file: path.display().to_string(),
                line: 0,
                problem: e.to_string(),
                fix: "a scenario is a folder with scenario.toml and texts/en.toml".to_owned(),
            })
        };
        let file = folder.join("scenario.toml");
        let texts = read(&folder.join("texts/en.toml"))?;
        Self::parse(&file.display().to_string(), &read(&file)?, &texts)
    }

    /// A bundled name, or the path of a folder.
    pub fn load(name: &str) -> Result<Self, FileError> {
        if is_path(name) { Self::from_path(Path::new(name)) } else { Self::named(name) }
    }

    /// Languages that a scenario can be told in, English first.
    pub fn languages(name: &str) -> Vec<String> {
        let mut others: Vec<String> = if is_path(name) {
            let files =
                fs::read_dir(folder_of(Path::new(name)).join("texts")).into_iter().flatten().flatten();
            let codes =
                files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".toml")?.to_owned()));
            codes.filter(|code| is_language_code(code) && code != ENGLISH).collect()
        } else {
            let bundled = TRANSLATED.iter().filter(|(scenario, ..)| *scenario == name);
            bundled.map(|(_, language, _)| (*language).to_owned()).collect()
        };
        others.sort();
        std::iter::once(ENGLISH.to_owned()).chain(others).collect()
    }

    /// A bundled name, or the path of a folder, told in a language. Errors name what is missing there.
    pub fn load_in(name: &str, language: &str) -> Result<Self, FileError> {
        let scenario = Self::load(name)?;
        if language == ENGLISH {
            return Ok(scenario);
        }
        let languages = Self::languages(name);
        let file = scenario.file_name.replace("scenario.toml", &format!("texts/{language}.toml"));
        let missing = |problem: String| FileError {
            file: file.clone(),
            line: 0,
            problem,
            fix: format!("choose one of {}, or write it", languages.join(", ")),
        };
        if !languages.iter().any(|known| known == language) {
            return Err(missing(format!("{name} has no texts in the language {language:?}")));
        }
        let text = match TRANSLATED.iter().find(|(known, code, _)| *known == name && *code == language) {
            Some((.., text)) => (*text).to_owned(),
            None => fs::read_to_string(&file).map_err(|error| missing(error.to_string()))?,
        };
        scenario.told_in(language, &file, &text)
    }

    /// The same, told by texts in another language. `file` names these in errors.
    pub fn told_in(self, language: &str, file: &str, text: &str) -> Result<Self, FileError> {
        let texts = Texts::parse(file, text)?;
        texts.check(file, text, &self.file)?;
        texts.check_against(&self.texts, file, text, &self.file)?;
        Ok(Self { texts, language: language.to_owned(), ..self })
    }

    /// Reads a scenario and checks it whole. `file` names it in errors; the texts stand beside it.
    pub fn parse(file: &str, text: &str, texts: &str) -> Result<Self, FileError> {
        let source = Source { file, text };
        let parsed: ScenarioFile = source.parse()?;
        let site = Site::named(parsed.site.get_ref())
            .map_err(|error| source.error(&parsed.site, error.problem, error.fix))?;
        let texts_name = file.replace("scenario.toml", "texts/en.toml");
        let scenario = Self {
            file_name: file.to_owned(),
            text: text.to_owned(),
            texts: Texts::parse(&texts_name, texts)?,
            language: ENGLISH.to_owned(),
            file: parsed,
            site,
        };
        scenario.check(&source)?;
        scenario.texts.check(&texts_name, texts, &scenario.file)?;
        Ok(scenario)
    }

    /// Its name.
    pub fn id(&self) -> &str {
        self.file.id.get_ref()
    }

    /// What the file holds.
    pub fn file(&self) -> &ScenarioFile {
        &self.file
    }

    /// What it says to people.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The language in which it does.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// The site it plays on.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Whether it has steps of an attack.
    pub fn has_attack(&self) -> bool {
        !self.file.steps.is_empty()
    }

    /// Steps, benign events and ordinary work, in the order of the file.
    pub(crate) fn events(&self) -> impl Iterator<Item = &EventFile> {
        self.file.steps.iter().chain(&self.file.benign).chain(&self.file.ordinary)
    }
}

/// Whether a scenario is named by its folder.
fn is_path(name: &str) -> bool {
    name.contains(['/', '\\', '.'])
}

fn folder_of(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(path) }
}
