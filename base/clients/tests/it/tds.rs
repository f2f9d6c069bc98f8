//! Both ends of the historians' protocol against each other, against noise, and for the eyes of tshark.

use clients::tds::{
    ColumnKind, Login, ServerError, ServerSettings, Table, TdsClient, TdsError, TdsServer, Value,
};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::bench::{ManualClock, run};

const SQL: &str = "SELECT time, tag, value FROM samples WHERE time > 100 ORDER BY time";

fn login() -> Login {
    Login {
        host: "it-historian".into(),
        user: "replica".into(),
        password: "EXERCISE-replica".into(),
        application: "Historian replication".into(),
        server: "historian".into(),
        database: "process".into(),
    }
}

fn samples(rows: i64) -> Table {
    let mut table =
        Table::new(&[("time", ColumnKind::Integer), ("tag", ColumnKind::Text), ("value", ColumnKind::Real)]);
    for row in 0..rows {
        let value = if row % 7 == 0 { Value::Null } else { Value::Real(row as f64 / 4.0) };
        table.push(vec![Value::Integer(row), Value::Text(format!("LIT-{row}")), value]).unwrap();
    }
    table
}

/// One client's visit: `rows` rows of samples, then a table that does not exist.
async fn historian<S: clients::connect::Stream>(stream: S, rows: i64) {
    let admit = |login: &Login| login.user == "replica" && login.password == "EXERCISE-replica";
    let Ok(mut server) = TdsServer::accept(stream, ServerSettings::default(), admit).await else { return };
    assert_eq!(server.login().database, "process");
    while let Some(sql) = server.next_batch().await.unwrap() {
        if sql == SQL {
            server.answer(&samples(rows)).await.unwrap();
        } else {
            server.refuse(&unknown_table()).await.unwrap();
        }
    }
}

fn unknown_table() -> ServerError {
    ServerError { number: 208, severity: 16, message: "Invalid object name 'secrets'.".into() }
}

async fn replicate<S: clients::connect::Stream>(stream: S, rows: i64) {
    let mut client = TdsClient::log_in(stream, &login()).await.unwrap();
    assert_eq!(client.query(SQL).await, Ok(samples(rows)));
    assert_eq!(client.query("SELECT * FROM secrets").await, Err(TdsError::Refused(unknown_table())));
    assert_eq!(client.query(SQL).await, Ok(samples(rows)));
    client.close().await.unwrap();
}

#[test]
fn a_replication_in_virtual_time() {
    // 3000 rows make about thirty packets: more than the stream holds.
    for rows in [0, 1, 3000] {
        let (near, far) = tokio::io::duplex(10_000);
        run(&ManualClock::default(), vec![Box::pin(historian(far, rows))], replicate(near, rows));
    }
}

#[test]
fn a_wrong_password_is_refused_by_name() {
    let (near, far) = tokio::io::duplex(10_000);
    run(&ManualClock::default(), vec![Box::pin(historian(far, 1))], async move {
        let wrong = Login { password: "guess".into(), ..login() };
        let refused = TdsClient::log_in(near, &wrong).await.unwrap_err();
        assert_eq!(refused, TdsError::Refused(ServerError::login_failed("replica")));
    });
}

#[test]
fn a_server_that_hangs_up_is_closed() {
    let (near, far) = tokio::io::duplex(10_000);
    drop(far);
    let outcome =
        run(&ManualClock::default(), Vec::new(), async move { TdsClient::log_in(near, &login()).await });
    assert!(matches!(outcome.unwrap_err(), TdsError::Io { .. } | TdsError::Closed));
}

/// Says these octets and closes; whatever is said to it is read and forgotten.
async fn say(mut stream: DuplexStream, octets: Vec<u8>) {
    let mut heard = [0; 4096];
    let _ = stream.write_all(&octets).await;
    let _ = stream.shutdown().await;
    while matches!(stream.read(&mut heard).await, Ok(1..)) {}
}

fn packets(kinds: &[(u8, Vec<u8>)]) -> Vec<u8> {
    kinds
        .iter()
        .flat_map(|(kind, data)| {
            let [high, low] = (data.len() as u16 + 8).to_be_bytes();
            [&[*kind, 1, high, low, 0, 0, 1, 0], data.as_slice()].concat()
        })
        .collect()
}

/// What a server makes of these packets as the first thing a client says.
fn accept(octets: Vec<u8>) -> TdsError {
    let (near, far) = tokio::io::duplex(10_000);
    run(&ManualClock::default(), vec![Box::pin(say(far, octets))], async move {
        TdsServer::accept(near, ServerSettings::default(), |_| true).await.unwrap_err()
    })
}

#[test]
fn packets_and_messages_are_bounded() {
    assert_eq!(accept(vec![0x12, 1, 0, 7, 0, 0, 1, 0]), TdsError::PacketLength { got: 7, max: 32_767 });
    assert_eq!(
        accept(vec![0x12, 1, 0x80, 0, 0, 0, 1, 0]),
        TdsError::PacketLength { got: 32_768, max: 32_767 }
    );
    assert_eq!(accept(vec![0x10, 1, 0, 8, 0, 0, 1, 0]), TdsError::MessageType { expected: 0x12, got: 0x10 });
    assert_eq!(accept(vec![0x12, 1, 0]), TdsError::Closed);
    let endless = [vec![0x12, 0, 0x7f, 0xff, 0, 0, 1, 0], vec![0; 32_759]].concat().repeat(130);
    assert_eq!(accept(endless), TdsError::MessageLength { max: 4 << 20 });
}

proptest! {
    #[test]
    fn no_octets_make_either_end_panic(first in prop::collection::vec(any::<u8>(), 0..200), second in prop::collection::vec(any::<u8>(), 0..300), honest: bool) {
        let prelogin = if honest { vec![0xff] } else { first.clone() };
        for client in [true, false] {
            let kinds = if client { [4, 4, 4] } else { [0x12, 0x10, 1] };
            let octets = packets(&[(kinds[0], prelogin.clone()), (kinds[1], second.clone()), (kinds[2], first.clone())]);
            let (near, far) = tokio::io::duplex(10_000);
            run(&ManualClock::default(), vec![Box::pin(say(far, octets))], async move {
                if client {
                    if let Ok(mut client) = TdsClient::log_in(near, &login()).await {
                        let _ = client.query(SQL).await;
                    }
                } else if let Ok(mut server) = TdsServer::accept(near, ServerSettings::default(), |_| true).await {
                    let _ = server.next_batch().await;
                }
            });
        }
    }
}

/// Over a real socket on the port that `TDS_PORT` names, for a capture; does nothing without it.
/// `tshark -i lo -f 'tcp port 14330' -w tds.pcap & TDS_PORT=14330 cargo test -p clients --test it for_the_eyes`, then
/// `tshark -r tds.pcap -d tcp.port==14330,tds -V`.
#[test]
fn for_the_eyes_of_tshark() {
    let port: u16 = match std::env::var("TDS_PORT") {
        Ok(port) => port.parse().unwrap(),
        Err(_) => return eprintln!("SKIPPED: TDS_PORT is not set"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let server = async {
            for rows in [3, 300] {
                historian(listener.accept().await.unwrap().0, rows).await;
            }
            historian(listener.accept().await.unwrap().0, 1).await;
        };
        let client = async {
            for rows in [3, 300] {
                replicate(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap(), rows).await;
            }
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let wrong = Login { password: "guess".into(), ..login() };
            assert!(TdsClient::log_in(stream, &wrong).await.is_err());
        };
        futures::join!(server, client);
    });
}
