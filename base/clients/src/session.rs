//! A Modbus connection for something that polls for days: made on demand, given up on error, made again with back-off.
//!
//! # Theory of operation
//! A session holds at most one connection. A call connects if there is none, and drops the connection after any error
//! that leaves it in doubt. After a failure the next attempt must wait: first `backoff_first`, twice as long after each further failure,
//! at most `backoff_max`. A call that comes earlier fails at once with [`ClientError::BackingOff`] and sends nothing, so a
//! poller keeps its period. The first answer (an exception is one) sets the back-off to its start: a connection that is accepted
//! and then reset, as a controller without a free place does, counts as a failure.

use std::time::Duration;

use record::{Clock, VirtualTime, with_timeout};
use wire::modbus::{RegisterAddress, UnitId};

use crate::{ClientError, Connect, ModbusClient};

/// How a session behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// The server's unit.
    pub unit: UnitId,
    /// Longest wait for an answer.
    pub answer_limit: Duration,
    /// Longest wait for a connection.
    pub connect_limit: Duration,
    /// Wait after the first failure.
    pub backoff_first: Duration,
    /// Longest wait after repeated failures.
    pub backoff_max: Duration,
}

impl Default for SessionSettings {
    /// Unit 255, one second for an answer, three for a connection, back-off from one second to thirty.
    fn default() -> Self {
        Self {
            unit: UnitId::DEVICE,
            answer_limit: Duration::from_secs(1),
            connect_limit: Duration::from_secs(3),
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_secs(30),
        }
    }
}

/// A connection that heals. See the module's theory of operation.
pub struct ModbusSession<K, C> {
    connect: K,
    clock: C,
    settings: SessionSettings,
    client: Option<ModbusClient<C>>,
    backoff: Duration,
    not_before: VirtualTime,
    connections: u64,
}

impl<K: Connect, C: Clock> ModbusSession<K, C> {
    /// A session without a connection yet.
    pub fn new(connect: K, clock: C, settings: SessionSettings) -> Self {
        let backoff = settings.backoff_first;
        Self {
            connect,
            clock,
            settings,
            client: None,
            backoff,
            not_before: VirtualTime::ZERO,
            connections: 0,
        }
    }

    /// Is a connection open, as far as the session knows?
    pub fn is_connected(&self) -> bool {
        self.client.is_some()
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Drops the connection. The next call connects again, at once.
    pub fn disconnect(&mut self) {
        self.client = None;
    }

    /// Runs one piece of work with the client, connected first where needed:
    /// `session.call(async |client| client.report_server_id().await).await`.
    pub async fn call<T, W>(&mut self, work: W) -> Result<T, ClientError>
    where
        W: AsyncFnOnce(&mut ModbusClient<C>) -> Result<T, ClientError>,
    {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => self.open().await?,
        };
        let outcome = work(&mut client).await;
        match &outcome {
            Ok(_) | Err(ClientError::Exception(_)) => self.backoff = self.settings.backoff_first,
            Err(_) => {}
        }
        if client.is_usable() {
            self.client = Some(client);
        } else {
            self.back_off();
        }
        outcome
    }

    /// See [`ModbusClient::read_coils`].
    pub async fn read_coils(
        &mut self,
        address: RegisterAddress,
        quantity: u16,
    ) -> Result<Vec<bool>, ClientError> {
        self.call(async |client| client.read_coils(address, quantity).await).await
    }

    /// See [`ModbusClient::read_discrete_inputs`].
    pub async fn read_discrete_inputs(
        &mut self,
        address: RegisterAddress,
        quantity: u16,
    ) -> Result<Vec<bool>, ClientError> {
        self.call(async |client| client.read_discrete_inputs(address, quantity).await).await
    }

    /// See [`ModbusClient::read_holding_registers`].
    pub async fn read_holding_registers(
        &mut self,
        address: RegisterAddress,
        quantity: u16,
    ) -> Result<Vec<u16>, ClientError> {
        self.call(async |client| client.read_holding_registers(address, quantity).await).await
    }

    /// See [`ModbusClient::read_input_registers`].
    pub async fn read_input_registers(
        &mut self,
        address: RegisterAddress,
        quantity: u16,
    ) -> Result<Vec<u16>, ClientError> {
        self.call(async |client| client.read_input_registers(address, quantity).await).await
    }

    /// See [`ModbusClient::write_single_coil`].
    pub async fn write_single_coil(
        &mut self,
        address: RegisterAddress,
        value: bool,
    ) -> Result<(), ClientError> {
        self.call(async |client| client.write_single_coil(address, value).await).await
    }

    /// See [`ModbusClient::write_single_register`].
    pub async fn write_single_register(
        &mut self,
        address: RegisterAddress,
        value: u16,
    ) -> Result<(), ClientError> {
        self.call(async |client| client.write_single_register(address, value).await).await
    }

    /// See [`ModbusClient::write_multiple_registers`].
    pub async fn write_multiple_registers(
        &mut self,
        address: RegisterAddress,
        values: &[u16],
    ) -> Result<(), ClientError> {
        self.call(async |client| client.write_multiple_registers(address, values).await).await
    }

    async fn open(&mut self) -> Result<ModbusClient<C>, ClientError> {
        if self.clock.now() < self.not_before {
            return Err(ClientError::BackingOff { until: self.not_before });
        }
        let limit = self.settings.connect_limit;
        let failure = match with_timeout(&self.clock, limit, self.connect.connect()).await {
            Some(Ok(stream)) => {
                self.connections += 1;
                let SessionSettings { unit, answer_limit, .. } = self.settings;
                return Ok(ModbusClient::new(stream, unit, self.clock.clone(), answer_limit));
            }
            Some(Err(error)) => ClientError::Connect { kind: error.kind() },
            None => ClientError::Timeout { limit },
        };
        self.back_off();
        Err(failure)
    }

    fn back_off(&mut self) {
        self.not_before = self.clock.now() + self.backoff;
        self.backoff = self.backoff.saturating_mul(2).min(self.settings.backoff_max);
    }
}
