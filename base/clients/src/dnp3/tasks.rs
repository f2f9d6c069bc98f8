//! What masters do all day: polls, commands, time, restarts, classes.

use std::time::Duration;

use record::Clock;
use tokio::io::{AsyncRead, AsyncWrite};
use wire::dnp3::object::{CommandStatus, Crob};
use wire::dnp3::response::Item;
use wire::dnp3::{
    AppControl, ClassSet, EventClass, FragmentBuilder, FunctionCode, Iin, Point, PointKind, Value,
};

use super::{Answer, Dnp3Master, MasterError};

/// A command to one output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output {
    /// A control relay output block (group 12 variation 1).
    Crob {
        /// Index of the binary output.
        index: u16,
        /// Operation type, trip-close code and so on: 3 latch on, 4 latch off, 0x41 pulse close, 0x81 pulse trip.
        code: u8,
        /// How often.
        count: u8,
        /// Milliseconds on.
        on_ms: u32,
        /// Milliseconds off.
        off_ms: u32,
    },
    /// A setpoint of 16 bits (group 41 variation 2).
    Int16(u16, i16),
    /// A setpoint of 32 bits (group 41 variation 1).
    Int32(u16, i32),
    /// A setpoint as a float (group 41 variation 3).
    Float(u16, f32),
    /// A setpoint as a double (group 41 variation 4).
    Double(u16, f64),
}

impl Output {
    /// Latch on or off, once.
    pub const fn latch(index: u16, on: bool) -> Self {
        Self::Crob { index, code: if on { 3 } else { 4 }, count: 1, on_ms: 100, off_ms: 100 }
    }

    /// Pulse close, or pulse trip, for so many milliseconds.
    pub const fn trip_close(index: u16, close: bool, on_ms: u32) -> Self {
        Self::Crob { index, code: if close { 0x41 } else { 0x81 }, count: 1, on_ms, off_ms: 0 }
    }

    const fn object(self) -> (u8, u8) {
        match self {
            Self::Crob { .. } => (12, 1),
            Self::Int32(..) => (41, 1),
            Self::Int16(..) => (41, 2),
            Self::Float(..) => (41, 3),
            Self::Double(..) => (41, 4),
        }
    }

    fn point(self) -> Point<'static> {
        let (index, value) = match self {
            Self::Crob { index, code, count, on_ms, off_ms } => {
                let status = CommandStatus::SUCCESS;
                let crob = Crob { control_code: code, count, on_time_ms: on_ms, off_time_ms: off_ms, status };
                (index, Value::Crob(crob))
            }
            Self::Int16(index, value) => (index, Value::Integer(value.into())),
            Self::Int32(index, value) => (index, Value::Integer(value)),
            Self::Float(index, value) => (index, Value::Single(value)),
            Self::Double(index, value) => (index, Value::Double(value)),
        };
        Point { index: Some(index.into()), flags: None, status: None, value, time: None }
    }

    /// Header and objects of some commands, one header for each run of the same object.
    pub fn objects(outputs: &[Self]) -> Result<Vec<u8>, MasterError> {
        let mut builder = FragmentBuilder::request(AppControl::default(), FunctionCode::SELECT);
        for run in outputs.chunk_by(|one, next| one.object() == next.object()) {
            let Some((group, variation)) = run.first().map(|it| it.object()) else { continue };
            let points: Vec<Point<'_>> = run.iter().map(|output| output.point()).collect();
            builder = builder.indexed(group, variation, &points).map_err(|_| MasterError::Unfit)?;
        }
        Ok(builder.finish().split_off(2))
    }
}

/// What became of commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandAnswer {
    /// Indications.
    pub iin: Iin,
    /// The status of each command, in order; fewer where the outstation refused them all.
    pub statuses: Vec<CommandStatus>,
}

impl CommandAnswer {
    fn of(answer: &Answer) -> Self {
        let status = |item| match item {
            Item::Crob { crob, .. } => Some(crob.status),
            Item::Setpoint { status, .. } => Some(status),
            _ => None,
        };
        Self { iin: answer.iin(), statuses: answer.items().into_iter().filter_map(status).collect() }
    }

    /// Whether there was a command and all were accepted.
    pub fn is_success(&self) -> bool {
        !self.statuses.is_empty() && self.statuses.iter().all(|status| *status == CommandStatus::SUCCESS)
    }
}

/// How the time gets to an outstation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeWay {
    /// Record current time, then group 50 variation 3: over a network.
    Lan,
    /// Measure the delay, then group 50 variation 1: over a slow line.
    Line,
}

/// Headers of group 60.
fn classes(classes: ClassSet) -> Vec<u8> {
    classes.iter().flat_map(|class| [60, class.number() + 1, 6]).collect()
}

impl<S: AsyncRead + AsyncWrite + Unpin, C: Clock> Dnp3Master<S, C> {
    /// Reads all events and all present values: classes 1, 2, 3 and 0.
    pub async fn integrity_poll(&mut self) -> Result<Answer, MasterError> {
        let objects = [classes(ClassSet::ALL), vec![60, 1, 6]].concat();
        self.request(FunctionCode::READ, &objects).await
    }

    /// Reads events of some classes.
    pub async fn event_poll(&mut self, of: ClassSet) -> Result<Answer, MasterError> {
        self.request(FunctionCode::READ, &classes(of)).await
    }

    /// Reads all points of a group in a variation, 0 for the outstation's choice.
    pub async fn read_all(&mut self, group: u8, variation: u8) -> Result<Answer, MasterError> {
        self.request(FunctionCode::READ, &[group, variation, 6]).await
    }

    /// Reads a range of points, both ends included.
    pub async fn read_range(
        &mut self,
        group: u8,
        variation: u8,
        start: u16,
        stop: u16,
    ) -> Result<Answer, MasterError> {
        let builder = FragmentBuilder::request(AppControl::default(), FunctionCode::READ);
        let objects = builder.range(group, variation, start, stop).finish().split_off(2);
        self.request(FunctionCode::READ, &objects).await
    }

    /// Selects, and operates if everything was selected. The answer is that of the operate, or of the select that failed.
    pub async fn select_operate(&mut self, outputs: &[Output]) -> Result<CommandAnswer, MasterError> {
        let objects = Output::objects(outputs)?;
        let selected = CommandAnswer::of(&self.request(FunctionCode::SELECT, &objects).await?);
        if !selected.is_success() {
            return Ok(selected);
        }
        self.request(FunctionCode::OPERATE, &objects).await.map(|answer| CommandAnswer::of(&answer))
    }

    /// Operates without a select.
    pub async fn direct_operate(&mut self, outputs: &[Output]) -> Result<CommandAnswer, MasterError> {
        let objects = Output::objects(outputs)?;
        self.request(FunctionCode::DIRECT_OPERATE, &objects).await.map(|answer| CommandAnswer::of(&answer))
    }

    /// Operates without a select and without an answer.
    pub async fn direct_operate_no_ack(&mut self, outputs: &[Output]) -> Result<(), MasterError> {
        let objects = Output::objects(outputs)?;
        self.tell(FunctionCode::DIRECT_OPERATE_NR, &objects).await
    }

    /// Sets the outstation's clock. `unix_ms` is the time now, milliseconds since 1970.
    pub async fn set_time(&mut self, unix_ms: u64, way: TimeWay) -> Result<Answer, MasterError> {
        let began = self.now();
        let (variation, time) = match way {
            TimeWay::Lan => {
                self.request(FunctionCode::RECORD_CURRENT_TIME, &[]).await?;
                (3, unix_ms)
            }
            TimeWay::Line => {
                let answer = self.request(FunctionCode::DELAY_MEASURE, &[]).await?;
                let held = answer.items().into_iter().find_map(|item| match item {
                    Item::Delay(delay) => Some(u64::from(delay)),
                    _ => None,
                });
                let round = self.now().since(began).as_millis() as u64;
                // The way there takes half of what the outstation did not hold it for.
                let way = round.saturating_sub(held.unwrap_or(0)) / 2;
                (1, unix_ms.saturating_add(round).saturating_add(way))
            }
        };
        let objects = [&[50, variation, 7, 1], &time.to_le_bytes()[..6]].concat();
        self.request(FunctionCode::WRITE, &objects).await
    }

    /// Clears the indication that the device has restarted.
    pub async fn clear_restart(&mut self) -> Result<Answer, MasterError> {
        self.request(FunctionCode::WRITE, &[80, 1, 0, 7, 7, 0]).await
    }

    /// Enables unsolicited responses of some classes.
    pub async fn enable_unsolicited(&mut self, of: ClassSet) -> Result<Answer, MasterError> {
        self.request(FunctionCode::ENABLE_UNSOLICITED, &classes(of)).await
    }

    /// Disables unsolicited responses of some classes.
    pub async fn disable_unsolicited(&mut self, of: ClassSet) -> Result<Answer, MasterError> {
        self.request(FunctionCode::DISABLE_UNSOLICITED, &classes(of)).await
    }

    /// Assigns all points of a kind to a class of events, or to none.
    pub async fn assign_class(
        &mut self,
        kind: PointKind,
        class: Option<EventClass>,
    ) -> Result<Answer, MasterError> {
        let variation = class.map_or(1, |class| class.number() + 1);
        let objects = [60, variation, 6, kind.static_group(), 0, 6];
        self.request(FunctionCode::ASSIGN_CLASS, &objects).await
    }

    /// Restarts the device; gives how long that will take, where it says so.
    pub async fn restart(&mut self, cold: bool) -> Result<Option<Duration>, MasterError> {
        let function = if cold { FunctionCode::COLD_RESTART } else { FunctionCode::WARM_RESTART };
        let answer = self.request(function, &[]).await?;
        Ok(answer.items().into_iter().find_map(|item| match item {
            Item::Delay(delay) => Some(Duration::from_millis(delay.into())),
            _ => None,
        }))
    }

    /// Freezes all counters, and clears them if asked to.
    pub async fn freeze_counters(&mut self, clear: bool) -> Result<Answer, MasterError> {
        let function = if clear { FunctionCode::FREEZE_CLEAR } else { FunctionCode::IMMED_FREEZE };
        self.request(function, &[20, 0, 6]).await
    }

    /// What a master does when it comes up: disables unsolicited responses, clears the restart indication and sets the time
    /// where the outstation asks for it, reads everything, and enables unsolicited responses of `unsolicited`.
    ///
    /// An outstation without unsolicited responses refuses them, which is no error. The answer is that of the integrity poll.
    pub async fn start_up(&mut self, unix_ms: u64, unsolicited: ClassSet) -> Result<Answer, MasterError> {
        let began = self.now();
        self.disable_unsolicited(ClassSet::ALL).await?;
        if self.iin().has(Iin::DEVICE_RESTART) {
            self.clear_restart().await?;
        }
        if self.iin().has(Iin::NEED_TIME) {
            let passed = self.now().since(began).as_millis() as u64;
            self.set_time(unix_ms.saturating_add(passed), TimeWay::Lan).await?;
        }
        let everything = self.integrity_poll().await?;
        if !unsolicited.is_empty() {
            self.enable_unsolicited(unsolicited).await?;
        }
        Ok(everything)
    }
}
