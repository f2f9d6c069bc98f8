//! The command line: what can be asked, with an example in every help text.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use scenarios::Difficulty;

use quizzes::incident::Twelve;

use crate::command::dataset::DatasetArgs;
use crate::command::export::ExportArgs;
use crate::command::judge::JudgeArgs;
use crate::command::key::KeyArgs;
use crate::language::LanguageArgs;
use crate::uplinks::UplinkArgs;

/// An industrial control system lab in one program.
///
/// Without a command it starts a live lab and opens its console in the browser: a water works, its network, an
/// analyst's desk, and one question. Was this an attack, a fault, or authorised work?
#[derive(Debug, Parser)]
#[command(
    name = "fieldrange",
    version,
    after_help = "Example:\n  fieldrange                                   a live lab with its console on 127.0.0.1\n  fieldrange shift                             the same in a terminal, five minutes\n  fieldrange simulate oldsmar --seed 7 --out runs/oldsmar-7\n\nExit codes: 0 done, 1 done and something was found wrong, 2 the input was not usable."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ServeArgs {
    /// Scenario that is live when the console opens; see `fieldrange list scenarios`.
    #[arg(long, default_value = "first-shift")]
    pub(crate) scenario: String,
    #[command(flatten)]
    pub(crate) which: WhichRun,
    #[command(flatten)]
    pub(crate) language: LanguageArgs,
    /// Virtual seconds per second.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) speed: u32,
    /// Open the console without a lab: the facilitator makes teams and starts them.
    #[arg(long)]
    pub(crate) empty: bool,
    /// Port of the console.
    #[arg(long, default_value_t = 8600)]
    pub(crate) port: u16,
    /// Address on which console and forwards listen. Anything but loopback lets others in.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) listen: std::net::Ipv4Addr,
    /// Another name by which browsers may call the console. May be given several times.
    #[arg(long = "name", value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Let real clients reach a virtual host of the first lab: PORT=ADDRESS:PORT. May be given several times.
    #[arg(long = "forward", value_name = "PORT=ADDR:PORT")]
    pub(crate) forwards: Vec<Forward>,
    #[command(flatten)]
    pub(crate) uplinks: UplinkArgs,
    /// Directory of the store and of the records.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) data: PathBuf,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ShiftArgs {
    /// Seed of the shift; another seed is another day.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Draw the cause from the seed: attack, fault or authorised work.
    #[arg(long)]
    pub(crate) blind: bool,
    /// How hard: easy, medium or hard.
    #[arg(long, default_value_t)]
    pub(crate) level: Difficulty,
    /// Virtual seconds per second of your time while you watch.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) speed: u32,
    #[command(flatten)]
    pub(crate) language: LanguageArgs,
    /// Never ask, even on a terminal: a bot answers.
    #[arg(long)]
    pub(crate) bot: bool,
    /// Keep the record of the run in this directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Stand a first shift in the terminal: five minutes at a water works, and one question.
    #[command(after_help = "Example:\n  fieldrange shift --blind --seed 2")]
    Shift(ShiftArgs),
    /// Run a scenario live, paced by the clock on the wall, with port forwards for real clients.
    #[command(
        after_help = "Example:\n  fieldrange run --live --forward 5020=192.168.1.101:502\n  mbpoll -m tcp -p 5020 -a 1 -t 4 -r 41 127.0.0.1\n\nContainers and namespaces as hosts of the plant's network:\n  fieldrange run --live --attach eth0=control --mirror-to 172.20.0.9\n\nForwards listen on 127.0.0.1 only, unless --listen names another address. Commands on standard input:\n  pause, resume, speed N, write TAG VALUE, values, stop"
    )]
    Run(RunArgs),
    /// Run a scenario as fast as the machine can and keep its record.
    #[command(after_help = "Example:\n  fieldrange simulate oldsmar --seed 7 --out runs/oldsmar-7 --spoil")]
    Simulate(SimulateArgs),
    /// Run a plant's physics alone; the plant file's reference control stands in for the controllers.
    #[command(
        after_help = "Example:\n  fieldrange plant water --hours 48 --set NAOH.SP=200@3600 --csv water.csv"
    )]
    Plant(PlantArgs),
    /// Read a capture with the passive sensor and write its logs.
    #[command(
        after_help = "Example:\n  fieldrange sense -r runs/oldsmar-7/span.pcapng --log-dir logs\n\nOf a capture in a record, site and start are taken from the run.json beside it.\nExit codes: 0 done; 1 with --strict, findings of medium or above; 2 the input was not usable, or the capture is\ndamaged (what could be read was written)."
    )]
    Sense(Box<sensor::cli::SensorArgs>),
    /// Score calls, a report and what was done against the ground truth of a run and its twins.
    #[command(
        after_help = "Example:\n  fieldrange score runs/oldsmar-7 --calls calls.jsonl\n  fieldrange score runs/oldsmar-7 --calls calls.jsonl --report report.toml\n\nA report is a few lines of TOML; whatever is left out earns nothing:\n  assets = [\"hmi\", \"PLC-1\"]\n  indicators = [\"203.0.113.40\"]\n  root_cause = { verdict = \"attack\", entity = \"vendor-support\", technique = \"T0822\" }\n  event = [{ entity = \"hmi\", technique = \"T0822\" }, { entity = \"NAOH.SP\", technique = \"T0836\" }]\n\nA call is one JSON object per line:\n  {\"id\":1,\"t\":19900,\"interval\":[19800,19890],\"entities\":[\"host:hmi\",\"device:PLC-1\",\"point:NAOH.SP\"],\"verdict\":\"attack\",\"technique\":\"T0836\",\"confidence\":\"high\"}"
    )]
    Score(ScoreArgs),
    /// Write the after-action report of a run: timeline, every point with its reason, the plant with and without.
    #[command(
        after_help = "Example:\n  fieldrange report runs/oldsmar-7 --calls calls.jsonl --out report.html\n  fieldrange report runs/oldsmar-7 --what-if 'earlier 60'\n  fieldrange report runs/team-a runs/team-b --calls a.jsonl --calls b.jsonl\n\nThe page is one file without scripts; it prints, and loads nothing. The plant is run again from the record's seed: as it\nwas, with nobody acting, without the attack, and with the change of --what-if:\n  earlier SECONDS      every action so much earlier\n  later SECONDS        every action so much later\n  without [N]          no action, or without action N of the report\n  instead N COMMAND    another command in place of action N\n  also SECONDS COMMAND one more command, SECONDS after the start"
    )]
    Report(ReportArgs),
    /// Answer questions: on a run, computed from its record; or from the general bank, with what you know kept in a file.
    #[command(
        after_help = "Examples:\n  fieldrange quiz runs/oldsmar-7\n  fieldrange quiz runs/oldsmar-7 --answers answers.txt --json\n  fieldrange quiz --list\n  fieldrange quiz --assess --person me.json\n  fieldrange quiz --domain protocols --person me.json\n  fieldrange quiz --domain all --export gift --out moodle\n  fieldrange quiz runs/oldsmar-7 --export ctfd --out ctf/ann --event-key event.key --for ann\n\nWhile you are asked: `hint` shows one (the first is free), `pass` leaves a question out, the end of input stops. Behind an\nanswer, @low, @mid or @high says how sure you are: 1, 2 or 3 points if it is right, 0, -2 or -6 if it is not."
    )]
    Quiz(QuizArgs),
    /// Try what you have made: an inventory, a baseline, a rule, firewall rules, evidence.
    #[command(
        after_help = "Examples:\n  fieldrange task\n  fieldrange task allow-list\n  fieldrange task allow-list rules.toml\n  fieldrange task attack-frames frames.txt --run runs/first-shift\n\nRules and baselines are tried on runs that you have not seen: their seeds are drawn from the file itself.\nExit codes: 0 done, 1 not yet, 2 the file was not usable."
    )]
    Task(TaskArgs),
    /// Write what a run came to for other people's programs: results, an ATT&CK layer, indicators, a badge.
    #[command(
        after_help = "Examples:\n  fieldrange export runs/oldsmar-7 --as csv --calls calls.jsonl --for ann\n  fieldrange export runs/oldsmar-7 --as navigator --calls calls.jsonl --out layer.json\n  fieldrange export runs/oldsmar-7 --as stix --out bundle.json\n  fieldrange key issuer badge.jwk\n  fieldrange export runs/oldsmar-7 --as badge --calls calls.jsonl --for ann --key badge.jwk --out ann.jwt\n\nQuestions are exported by `fieldrange quiz --export`."
    )]
    Export(ExportArgs),
    /// Make a labelled data set: runs of scenarios over seeds, split into training and test.
    #[command(
        after_help = "Example:\n  fieldrange dataset --scenario first-shift --scenario breaker-sweep --train 1-8 --test 9-10 --out data\n\nIts README.md is the data sheet."
    )]
    Dataset(DatasetArgs),
    /// Score any product's alerts by the law that trainees are scored by.
    #[command(
        after_help = "Example:\n  fieldrange judge --alerts eve.json runs/oldsmar-7\n\nReads Suricata's EVE JSON, Zeek's notice.log, findings.jsonl, and CSV with the columns time, name, src, dst and, if there,\nseverity (low, medium, high) and technique. Alerts of one name on one pair within 15 minutes are one call."
    )]
    Judge(JudgeArgs),
    /// Make a key: an issuer's, which signs badges, or an event's, from which the flags of a contest come.
    #[command(
        after_help = "Example:\n  fieldrange key issuer badge.jwk\n\nThe file can be read by its owner alone. The public half lies beside it as badge.pub.jwk."
    )]
    Key(KeyArgs),
    /// Say for each hostile step what the plant would have suffered without it.
    #[command(after_help = "Example:\n  fieldrange blame runs/oldsmar-7")]
    Blame(BlameArgs),
    /// The incident of the week: a code that gives everybody the same sealed incident, and a key that opens it.
    #[command(
        after_help = "Examples:\n  fieldrange incident new\n  fieldrange incident play 7K2M-9XDA-4TP0 --out week-12\n  fieldrange incident score 7K2M-9XDA-4TP0 --calls calls.jsonl --for ann\n  fieldrange incident tell CODE KEY\n\nThe line that `score` prints tells nothing of what happened. A code holds within one version."
    )]
    Incident(IncidentArgs),
    /// Play a scenario at a table, without a live lab: printed pages for each room, and what each decision leads to.
    #[command(
        after_help = "Example:\n  fieldrange tabletop oldsmar --seed 3 --print exercise\n  fieldrange tabletop oldsmar --seed 3 --print exercise --played exercise/sheet.toml\n\nThe pages are HTML without scripts; print them from a browser, A4. What comes of each option is computed by running the\nplant again with its commands: about a minute for a scenario of eight hours. --played reads the sheet that was filled in\nand adds report.html: what the decisions did together, and the score."
    )]
    Tabletop(TabletopArgs),
    /// Copy a run without truth, seed, findings and scores, for a trainee.
    #[command(after_help = "Example:\n  fieldrange pack runs/oldsmar-7 --trainee --out exam/oldsmar")]
    Pack(PackArgs),
    /// Check every hash and the journal's chain of a run.
    #[command(after_help = "Example:\n  fieldrange verify runs/oldsmar-7")]
    Verify(VerifyArgs),
    /// Run a record again from its seed and what came from outside, and compare every file.
    #[command(after_help = "Example:\n  fieldrange replay runs/live-1")]
    Replay(ReplayArgs),
    /// Say in one screen whether this machine can run a live lab well, and what is in the way.
    #[command(
        after_help = "Example:\n  fieldrange doctor --json\n\nTakes about three seconds. Exit codes: 0 all well, perhaps with notes; 1 something is wrong."
    )]
    Doctor(DoctorArgs),
    /// List what comes with the program.
    #[command(
        after_help = "Examples:\n  fieldrange list scenarios --json\n  fieldrange list scenarios --notes oldsmar --seed 7"
    )]
    List(ListArgs),
    /// Check scenarios, plants, sites, rules and questions, and the bands of the scoring bots.
    #[command(after_help = "Example:\n  fieldrange check --seeds 16")]
    Check(CheckArgs),
}

/// `NAME=VALUE` for a scenario's variable.
fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// Which run to make.
#[derive(Clone, Debug, Args)]
pub(crate) struct WhichRun {
    /// Seed: the same seed gives the same record, bit for bit.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Draw the cause from the seed: attack, fault or authorised work.
    #[arg(long)]
    pub(crate) blind: bool,
    /// Fix one of the scenario's variables.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = setting)]
    pub(crate) settings: Vec<(String, String)>,
    /// How hard: easy, medium or hard. Easy helps in the briefing, hard has more that looks alike.
    #[arg(long, default_value_t)]
    pub(crate) level: Difficulty,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Scenario; see `fieldrange list scenarios`.
    #[arg(default_value = "ordinary-day")]
    pub(crate) scenario: String,
    #[command(flatten)]
    pub(crate) which: WhichRun,
    #[command(flatten)]
    pub(crate) language: LanguageArgs,
    /// Pace the run by the clock on the wall.
    #[arg(long, required = true)]
    pub(crate) live: bool,
    /// Virtual seconds per second.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) speed: u32,
    /// Let real clients reach a virtual host: PORT=ADDRESS:PORT. May be given several times.
    #[arg(long = "forward", value_name = "PORT=ADDR:PORT")]
    pub(crate) forwards: Vec<Forward>,
    /// Address on which forwards listen. Anything but loopback lets others in.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) listen: std::net::Ipv4Addr,
    #[command(flatten)]
    pub(crate) uplinks: UplinkArgs,
    /// Stop after this many virtual minutes instead of at the scenario's end, sooner or later.
    #[arg(long)]
    pub(crate) minutes: Option<f64>,
    /// Keep the record in this directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

impl RunArgs {
    /// Whether somebody else than the person at the terminal is to reach the lab.
    pub(crate) fn lets_somebody_in(&self) -> bool {
        !self.forwards.is_empty() || !self.uplinks.is_empty()
    }
}

/// One port forward.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forward {
    pub(crate) port: u16,
    pub(crate) to: std::net::SocketAddrV4,
}

impl std::str::FromStr for Forward {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write PORT=ADDRESS:PORT, as in 5020=192.168.1.101:502".to_owned();
        let (port, to) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self { port: port.parse().map_err(|_| wrong())?, to: to.parse().map_err(|_| wrong())? })
    }
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Scenario; see `fieldrange list scenarios`.
    pub(crate) scenario: String,
    #[command(flatten)]
    pub(crate) which: WhichRun,
    #[command(flatten)]
    pub(crate) language: LanguageArgs,
    /// Directory for the record; must be empty or new.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Tell the story: what happened, when, and what it did.
    #[arg(long)]
    pub(crate) spoil: bool,
    /// Act as a person in the run: COMMAND@SECONDS, as in `write NAOH.SP 100@120`; also `rule add {JSON}`, `rule
    /// remove ID` and `session kill {JSON}`. May be given several times.
    #[arg(long = "act", value_name = "COMMAND@SECONDS", value_parser = act)]
    pub(crate) acts: Vec<(f64, String)>,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

fn act(text: &str) -> Result<(f64, String), String> {
    let wrong = || "write COMMAND@SECONDS, as in 'write NAOH.SP 100@120'".to_owned();
    let (command, at) = text.rsplit_once('@').ok_or_else(wrong)?;
    let at: f64 = at.parse().map_err(|_| wrong())?;
    if at.is_finite() && at >= 0.0 { Ok((at, command.to_owned())) } else { Err(wrong()) }
}

#[derive(Debug, Args)]
pub(crate) struct PlantArgs {
    /// Plant; see `fieldrange list plants`. A path that ends in .toml is read as a plant file.
    pub(crate) name: String,
    /// Length of the run.
    #[arg(long, default_value_t = 24.0, allow_negative_numbers = true)]
    pub(crate) hours: f64,
    /// Set a setpoint or actuator at a time in seconds: TAG=VALUE@TIME. May be given several times.
    #[arg(long = "set", value_name = "TAG=VALUE@TIME", value_parser = set)]
    pub(crate) sets: Vec<(f64, String, f64)>,
    /// Seed of the instruments' noise.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write every tag to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Seconds between rows of the file.
    #[arg(long, default_value_t = 60)]
    pub(crate) every: u64,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

fn set(text: &str) -> Result<(f64, String, f64), String> {
    let wrong = || "write TAG=VALUE@TIME, as in NAOH.SP=200@3600".to_owned();
    let (tag, rest) = text.split_once('=').ok_or_else(wrong)?;
    let (value, at) = rest.split_once('@').ok_or_else(wrong)?;
    let (value, at): (f64, f64) = (value.parse().map_err(|_| wrong())?, at.parse().map_err(|_| wrong())?);
    if value.is_finite() && at.is_finite() && at >= 0.0 {
        Ok((at, tag.to_owned(), value))
    } else {
        Err(wrong())
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Form {
    /// Calls were handed in while the run went on: early calls earn more.
    Live,
    /// The record was studied later: intervals must overlap what happened.
    Offline,
}

impl From<Form> for quizzes::Form {
    fn from(form: Form) -> Self {
        match form {
            Form::Live => Self::Live,
            Form::Offline => Self::Offline,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// People looked and could act: containment and the plant count too.
    Active,
    /// People looked and reported: detection and report alone.
    Passive,
}

impl From<Mode> for quizzes::score::total::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Active => Self::Active,
            Mode::Passive => Self::Passive,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    /// Directory of the run.
    pub(crate) run: PathBuf,
    /// Calls, one JSON object per line.
    #[arg(long)]
    pub(crate) calls: PathBuf,
    /// How the calls came about.
    #[arg(long, value_enum, default_value = "live")]
    pub(crate) form: Form,
    /// What was written down after the run: assets, order of events, indicators, root cause (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Whether people could act; by default they could where anything came into the run from outside.
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// Keep calls and score in this directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the score as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Directory of the run. Several runs of one scenario are put side by side.
    #[arg(required = true)]
    pub(crate) runs: Vec<PathBuf>,
    /// Calls, one JSON object per line; with several runs once for each, in the same order.
    #[arg(long, value_name = "FILE")]
    pub(crate) calls: Vec<PathBuf>,
    /// How the calls came about.
    #[arg(long, value_enum, default_value = "live")]
    pub(crate) form: Form,
    /// What was written down after the run: assets, order of events, indicators, root cause (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Whether people could act; by default they could where anything came into the run from outside.
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// Run it once more with another containment: 'earlier 60', 'without 2', 'instead 1 write NAOH.SP 100'.
    #[arg(long, value_name = "CHANGE")]
    pub(crate) what_if: Option<crate::report::Change>,
    /// The page.
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    pub(crate) out: PathBuf,
    /// Print everything in it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum QuizForm {
    /// Moodle's GIFT; what it cannot hold lies beside it as Moodle XML.
    Gift,
    /// Moodle XML.
    MoodleXml,
    /// A challenge.yml for each question, as ctfcli takes them for CTFd.
    Ctfd,
    /// Statements for a learning record store; needs --answers and --for.
    Xapi,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("questions").required(true).args(["run", "domain", "assess", "list"]))]
pub(crate) struct QuizArgs {
    /// Directory of the run.
    pub(crate) run: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) language: LanguageArgs,
    /// Ask from this domain of the general bank; `all` for every one.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// Ask across all domains, and say how far you are in each and which scenario comes next.
    #[arg(long)]
    pub(crate) assess: bool,
    /// List the domains of the general bank.
    #[arg(long, conflicts_with_all = ["answers", "solve", "paper", "person"])]
    pub(crate) list: bool,
    /// File that keeps what you know, between sessions; made if it is not there.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "solve", "paper"])]
    pub(crate) person: Option<PathBuf>,
    /// Number of questions in a session of the general bank. Default: 10, and 16 with --assess.
    #[arg(long, value_name = "N", conflicts_with_all = ["run", "answers", "solve", "paper"])]
    pub(crate) count: Option<u32>,
    /// Seed of the order of options and of ties between questions. A person's file has its own.
    #[arg(long, default_value_t = 1, conflicts_with = "run")]
    pub(crate) seed: u64,
    /// The day on which questions are asked, which decides what is due again. Default: today, UTC.
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with = "run")]
    pub(crate) date: Option<String>,
    /// Read the answers from a file, one per line, instead of asking; of a domain, to all its questions in order.
    #[arg(long, value_name = "FILE", conflicts_with = "assess")]
    pub(crate) answers: Option<PathBuf>,
    /// Show each answer with its reason, and ask nothing.
    #[arg(long, conflicts_with_all = ["answers", "assess"])]
    pub(crate) solve: bool,
    /// Show the questions without their answers, to be answered on paper or with --answers.
    #[arg(long, conflicts_with_all = ["answers", "solve", "assess"])]
    pub(crate) paper: bool,
    /// Write the questions for another program; with xapi, what was answered.
    #[arg(long, value_enum, value_name = "FORM", requires = "out", conflicts_with_all = ["solve", "paper", "assess", "list", "person"])]
    pub(crate) export: Option<QuizForm>,
    /// Directory for the export; must be empty or new.
    #[arg(long, value_name = "DIR", requires = "export")]
    pub(crate) out: Option<PathBuf>,
    /// Key of the event, see `fieldrange key`: whoever is right gets a flag that is theirs alone.
    #[arg(long, value_name = "FILE", requires = "whose")]
    pub(crate) event_key: Option<PathBuf>,
    /// Who answers: the name in flags and statements.
    #[arg(long = "for", value_name = "NAME")]
    pub(crate) whose: Option<String>,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TabletopArgs {
    /// Scenario that has a tabletop, or the folder of one.
    pub(crate) scenario: String,
    #[command(flatten)]
    pub(crate) which: WhichRun,
    /// Write the pages into this directory.
    #[arg(long, value_name = "DIR", required_unless_present = "json")]
    pub(crate) print: Option<PathBuf>,
    /// Sheet of a team: what it decided, handed on and wrote down.
    #[arg(long, value_name = "FILE")]
    pub(crate) played: Option<PathBuf>,
    /// Language of the pages.
    #[arg(long, default_value = "en")]
    pub(crate) language: String,
    /// Print what comes of every option, and the score of a sheet, as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BlameArgs {
    /// Directory of the run.
    pub(crate) run: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// Directory of the run.
    pub(crate) run: PathBuf,
    /// Leave out truth, seed, findings and scores.
    #[arg(long, required = true)]
    pub(crate) trainee: bool,
    /// Directory for the copy; must be empty or new. Default: the run's directory with `-trainee` added.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Directory of the run.
    pub(crate) run: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Directory of the run.
    pub(crate) run: PathBuf,
    /// Keep the new record in this directory instead of throwing it away.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Directory where records are to go; its disk is looked at.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
    /// Only say whether a lab runs in this container or on this machine: a health check.
    #[arg(long)]
    pub(crate) running: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listed {
    /// Scenarios.
    Scenarios,
    /// Plants.
    Plants,
    /// Detection rules.
    Rules,
    /// Sites.
    Sites,
    /// What trainees do with their hands, and where.
    HandsOn,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// What to list.
    #[arg(value_enum)]
    pub(crate) what: Listed,
    /// With `scenarios`: the instructor's note of one of them, with the moments of the run that --seed draws. It tells everything.
    #[arg(long, value_name = "NAME")]
    pub(crate) notes: Option<String>,
    /// Seed whose moments the note tells.
    #[arg(long, default_value_t = 1, requires = "notes")]
    pub(crate) seed: u64,
    /// Level whose moments the note tells.
    #[arg(long, default_value_t, requires = "notes")]
    pub(crate) level: Difficulty,
    /// Print the table of hands-on as a page of Markdown.
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
    /// Print as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct IncidentArgs {
    #[command(subcommand)]
    pub(crate) what: IncidentWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IncidentWhat {
    /// Draw a key and its code.
    New,
    /// Make the record, without its answers.
    Play {
        /// Twelve characters.
        code: Twelve,
        /// Directory for the record.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Score calls, and say nothing of what happened.
    Score {
        /// Twelve characters.
        code: Twelve,
        /// Calls, one JSON object per line.
        #[arg(long, value_name = "FILE")]
        calls: PathBuf,
        /// Who handed them in.
        #[arg(long = "for", value_name = "NAME")]
        whose: String,
        /// Private key that signs the line; see `fieldrange key issuer`.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Say whether a line of a score is as it was signed.
    Check {
        /// The line.
        line: String,
        /// Public key of whoever signed it.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Tell what happened.
    Tell {
        /// Twelve characters.
        code: Twelve,
        /// The key that was published.
        key: Twelve,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TaskArgs {
    /// Which task; all are listed without one.
    pub(crate) name: Option<String>,
    /// What you made; without it the task is shown.
    pub(crate) file: Option<PathBuf>,
    /// Record that it is about.
    #[arg(long, value_name = "DIR", requires = "file")]
    pub(crate) run: Option<PathBuf>,
    /// Unseen seeds of each kind of run.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) seeds: u32,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Seeds per scenario for the bots.
    #[arg(long, default_value_t = 2)]
    pub(crate) seeds: u64,
    /// Only this scenario, by name or folder, with as many seeds as asked for.
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Option<String>,
    /// Level at which the bots play: easy, medium or hard.
    #[arg(long, default_value_t)]
    pub(crate) level: Difficulty,
    /// Check these files instead of what comes with the program: scenario.toml, plant, site or rule files.
    pub(crate) files: Vec<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
