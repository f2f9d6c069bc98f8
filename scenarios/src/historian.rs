//! The OT historian, and the enterprise's historian that copies from it.
//!
//! # Theory of operation
//! The OT historian polls the measured values of every controller and keeps the last one of each; over TDS on
//! port 1433 it answers the one query that its replica asks. At start its configuration still asks each controller for
//! a register that none has any more: the exception is in every log of every site, and means nothing.
//!
//! A restart of the service ends all of its connections; while it is gone, its port refuses.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::Duration;

use clients::tds::{
    ColumnKind, Login, ServerError, ServerSettings, Table, TdsClient, TdsError, TdsServer, Value,
};
use net::{Host, TaskHandle, VirtualStream};
use record::{Clock, KeyedStream, VirtualTime, with_timeout};
use site::Device;
use wire::modbus::RegisterAddress;

use crate::poller::{Rhythm, blocks, read_block};
use crate::scene::{Scene, open};

/// The one query that the historian's replica asks.
const QUERY: &str = "SELECT tag, value, t FROM last_values";
/// Connections that wait to be accepted.
const BACKLOG: usize = 4;
/// Longest wait for an answer of the historian.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

type LastValues = Rc<RefCell<BTreeMap<String, (f64, VirtualTime)>>>;

/// The OT historian's service.
#[derive(Clone)]
pub(crate) struct Historian {
    scene: Scene,
    host: Host,
    period: Duration,
    stale_register: Option<u16>,
    values: LastValues,
    tasks: Rc<RefCell<Vec<TaskHandle>>>,
}

impl Historian {
    pub(crate) fn new(scene: Scene, host: Host, period: Duration, stale_register: Option<u16>) -> Self {
        Self { scene, host, period, stale_register, values: LastValues::default(), tasks: Rc::default() }
    }

    /// Host it runs on.
    pub(crate) fn host_name(&self) -> &str {
        self.host.name()
    }

    /// Starts polling and serving.
    pub(crate) fn start(&self) {
        let mut tasks = self.tasks.borrow_mut();
        for device in self.scene.site.devices.iter().filter(|device| device.speaks_modbus()) {
            let (historian, device) = (self.clone(), device.clone());
            let name = format!("historian polls {}", device.name.get_ref());
            let task = async move { historian.poll(&device).await };
            tasks.push(self.scene.spawner.spawn(&name, task));
        }
        let historian = self.clone();
        tasks.push(self.scene.spawner.spawn("historian serves", async move { historian.serve().await }));
    }

    /// Ends the service and every connection it has.
    pub(crate) fn stop(&self) {
        for task in self.tasks.borrow_mut().drain(..) {
            task.abort();
        }
    }

    async fn poll(&self, device: &Device) {
        let name = device.name.get_ref();
        let Some((_, to)) = self.scene.device(name) else { return };
        let clock = self.scene.clock.clone();
        let mut session = self.scene.session(&self.host, device, to, Duration::from_secs(2));
        let mut rhythm = Rhythm::new(self.scene.seed, self.host.name(), name, self.period);
        let blocks = blocks(device, site::Table::Input, |_| true);
        let mut stale = self.stale_register;
        for n in 0_u64.. {
            let due = VirtualTime::ZERO + rhythm.due(n);
            if due < clock.now() {
                continue;
            }
            clock.sleep_until(due).await;
            for block in &blocks {
                let Ok(words) = read_block(&mut session, block).await else { break };
                let now = clock.now();
                let mut values = self.values.borrow_mut();
                for (tag, value) in block.decode(device, &words) {
                    match values.get_mut(tag) {
                        Some(kept) => *kept = (value, now),
                        None => {
                            values.insert(tag.to_owned(), (value, now));
                        }
                    }
                }
            }
            if let Some(register) = stale.take() {
                // The exception is what is expected; any other answer is of no use either.
                let _ = session.read_input_registers(RegisterAddress(register), 1).await;
            }
        }
    }

    async fn serve(&self) {
        let Ok(listener) = self.host.listen(clients::tds::PORT, BACKLOG) else { return };
        for connection in 0_u16.. {
            let stream = listener.accept().await;
            let historian = self.clone();
            let session = 51 + connection % 1000;
            let task = async move {
                // A client that breaks the protocol is dropped, as by any server.
                let _ = historian.answer(stream, session).await;
            };
            let handle = self.scene.spawner.spawn("historian answers", task);
            let mut tasks = self.tasks.borrow_mut();
            tasks.retain(|task| !task.is_finished());
            tasks.push(handle);
        }
    }

    async fn answer(&self, stream: VirtualStream, session: u16) -> Result<(), TdsError> {
        let settings = ServerSettings { session, ..ServerSettings::default() };
        let mut server = TdsServer::accept(stream, settings, |login| login.user == REPLICA).await?;
        while let Some(batch) = server.next_batch().await? {
            if batch == QUERY {
                server.answer(&self.table()).await?;
            } else {
                server.refuse(&unknown_object()).await?;
            }
        }
        Ok(())
    }

    fn table(&self) -> Table {
        let columns = [("tag", ColumnKind::Text), ("value", ColumnKind::Real), ("t", ColumnKind::Real)];
        let mut table = Table::new(&columns);
        for (tag, (value, t)) in self.values.borrow().iter() {
            let row = vec![Value::Text(tag.clone()), Value::Real(*value), Value::Real(t.as_secs_f64())];
            // The row was made for these columns.
            let _ = table.push(row);
        }
        table
    }
}

/// Error 208 of the product family: the batch names something that is not there.
fn unknown_object() -> ServerError {
    ServerError { number: 208, severity: 16, message: "Invalid object name.".to_owned() }
}

/// User of the replica. EXERCISE.
const REPLICA: &str = "replica";

/// Copies from the historian for ever, over one connection that is made again when it broke.
pub(crate) async fn replicate(scene: Scene, from: Host, to: Host, period: Duration) {
    let mut phase = KeyedStream::new(scene.seed, from.name(), "phase of replication");
    let first = Duration::from_millis(4000 + phase.below(0, 9000));
    let address = SocketAddrV4::new(to.address(), clients::tds::PORT);
    let mut client: Option<TdsClient<VirtualStream>> = None;
    for n in 0_u32.. {
        let due = VirtualTime::ZERO + first + period * n;
        if due < scene.clock.now() {
            continue;
        }
        scene.clock.sleep_until(due).await;
        let copied = with_timeout(&scene.clock, ANSWER_LIMIT, async {
            let mut connected = match client.take() {
                Some(connected) => connected,
                None => log_in(&scene, &from, address).await?,
            };
            connected.query(QUERY).await.ok()?;
            Some(connected)
        })
        .await;
        client = copied.flatten();
    }
}

async fn log_in(scene: &Scene, from: &Host, to: SocketAddrV4) -> Option<TdsClient<VirtualStream>> {
    let stream = open(&scene.clock, from, to).await.ok()?;
    let login = Login {
        host: from.name().to_owned(),
        user: REPLICA.to_owned(),
        password: "EXERCISE".to_owned(),
        application: "replication".to_owned(),
        server: "historian".to_owned(),
        database: "process".to_owned(),
    };
    TdsClient::log_in(stream, &login).await.ok()
}
