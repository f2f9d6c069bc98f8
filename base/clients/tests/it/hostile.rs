//! Servers that lie: every answer is an error by name, never a panic, never a wrong value.

use std::time::Duration;

use clients::error::Violation;
use clients::{ClientError, ModbusClient};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use wire::modbus::{FunctionCode, ObjectId, ReadDeviceIdCode, RegisterAddress, UnitId};

use crate::bench::{ManualClock, run};

/// Reads one request, says `answer`, then closes.
async fn say(mut stream: DuplexStream, answer: Vec<u8>) {
    let mut request = [0; 300];
    let _ = stream.read(&mut request).await;
    let _ = stream.write_all(&answer).await;
}

fn ask<T: 'static>(
    answer: &[u8],
    call: impl AsyncFnOnce(&mut ModbusClient<ManualClock>) -> Result<T, ClientError> + 'static,
) -> (Result<T, ClientError>, bool) {
    let clock = ManualClock::default();
    let (near, far) = tokio::io::duplex(70_000);
    let mut client = ModbusClient::new(near, UnitId(1), clock.clone(), Duration::from_secs(1));
    run(&clock, vec![Box::pin(say(far, answer.to_vec()))], async move {
        let outcome = call(&mut client).await;
        (outcome, client.is_usable())
    })
}

#[track_caller]
fn check(answer: &[u8], expected: ClientError) {
    let (outcome, usable) =
        ask(answer, async |client| client.read_holding_registers(RegisterAddress(0), 2).await);
    assert_eq!((outcome, usable), (Err(expected), false));
}

fn violation(violation: Violation) -> ClientError {
    ClientError::Protocol { violation }
}

#[test]
fn answers_that_do_not_fit_the_request() {
    // The first transaction of a client is number 0, the unit here is 1.
    check(&[0, 9, 0, 0, 0, 7, 1, 3, 4, 0, 1, 0, 2], violation(Violation::Header));
    check(&[0, 0, 0, 0, 0, 7, 2, 3, 4, 0, 1, 0, 2], violation(Violation::Header));
    check(&[0, 0, 0, 0, 0, 7, 1, 4, 4, 0, 1, 0, 2], violation(Violation::Function));
    check(&[0, 0, 0, 0, 0, 3, 1, 0x84, 2], violation(Violation::Function));
    check(&[0, 0, 0, 0, 0, 5, 1, 3, 2, 0, 1], violation(Violation::Content));
    check(&[0, 0, 0, 0, 0, 9, 1, 3, 6, 0, 1, 0, 2, 0, 3], violation(Violation::Content));
    check(&[0, 0, 0, 0, 0, 7, 1, 3, 6, 0, 1, 0, 2], violation(Violation::Undecodable));
    check(&[0, 0, 0, 0, 0, 6, 1, 3, 3, 0, 1, 0], violation(Violation::Undecodable));
    check(&[0, 0, 0, 0, 0, 2, 1, 0x83], violation(Violation::Undecodable));
    check(&[0, 0, 0, 1, 0, 7, 1, 3, 4, 0, 1, 0, 2], violation(Violation::Undecodable));
    check(&[0, 0, 0, 0, 0, 0, 1], violation(Violation::Undecodable));
}

#[test]
fn a_server_that_closes_is_closed_whatever_the_system_thinks() {
    check(&[], ClientError::Closed);
    check(&[0, 0, 0, 0, 0, 7, 1, 3, 4], ClientError::Closed);
}

#[test]
fn an_echo_must_be_one() {
    let write = async |client: &mut ModbusClient<ManualClock>| {
        client.write_single_register(RegisterAddress(1), 5).await
    };
    let (outcome, _) = ask(&[0, 0, 0, 0, 0, 6, 1, 6, 0, 1, 0, 5], write);
    assert_eq!(outcome, Ok(()));
    let (outcome, usable) = ask(&[0, 0, 0, 0, 0, 6, 1, 6, 0, 1, 0, 6], write);
    assert_eq!((outcome, usable), (Err(violation(Violation::Content)), false));
}

#[test]
fn fewer_bits_than_asked_are_a_violation() {
    let read = async |client: &mut ModbusClient<ManualClock>| client.read_coils(RegisterAddress(0), 9).await;
    let (outcome, _) = ask(&[0, 0, 0, 0, 0, 4, 1, 1, 1, 0xff], read);
    assert_eq!(outcome, Err(violation(Violation::Content)));
}

proptest! {
    #[test]
    fn no_answer_makes_a_client_panic(function in 0..=255_u8, data in prop::collection::vec(any::<u8>(), 0..=252), kind in 0..5) {
        let mut answer = vec![0, 0, 0, 0, 0, (data.len() + 2).min(255) as u8, 1, function];
        answer.extend_from_slice(&data);
        match kind {
            0 => drop(ask(&answer, async |client| client.read_coils(RegisterAddress(0), 20).await)),
            1 => drop(ask(&answer, async |client| client.read_input_registers(RegisterAddress(0), 20).await)),
            2 => drop(ask(&answer, async |client| client.report_server_id().await)),
            3 => drop(ask(&answer, async |client| {
                client.read_device_identification(ReadDeviceIdCode::Basic, ObjectId(0)).await
            })),
            _ => drop(ask(&answer, async move |client| client.raw(FunctionCode(function & 0x7f), &[0, 1]).await)),
        }
    }
}
