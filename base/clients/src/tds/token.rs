//! The token stream that a server answers with (\[MS-TDS\] section 2.2.7).

use super::octets::{Octets, put_long_text, put_short_text, text, text_octets};
use super::packet::PACKET_SIZE;
use super::{Column, ColumnKind, Table, TdsError, VERSION_7_4, Value};

const COLUMNS: u8 = 0x81;
const ERROR: u8 = 0xaa;
const INFO: u8 = 0xab;
const LOGIN_ACKNOWLEDGED: u8 = 0xad;
const ROW: u8 = 0xd1;
const ENVIRONMENT: u8 = 0xe3;
const DONE: u8 = 0xfd;

const DONE_ERROR: u16 = 0x02;
const DONE_COUNT: u16 = 0x10;
const COMMAND_SELECT: u16 = 0xc1;

const INTN: u8 = 0x26;
const FLTN: u8 = 0x6d;
const NVARCHAR: u8 = 0xe7;
/// Latin1_General, code page 1252, insensitive to case.
const COLLATION: [u8; 5] = [0x09, 0x04, 0xd0, 0x00, 0x34];
const TEXT_OCTETS_MAX: u16 = 8000;
const NULL_TEXT: u16 = 0xffff;

/// What a server says when it refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error {number}, severity {severity}: {message}")]
pub struct ServerError {
    /// The error's number; 18456 is a failed login, 208 an unknown table, 102 bad syntax.
    pub number: u32,
    /// 11 to 16 are the user's fault, 17 to 25 the server's.
    pub severity: u8,
    /// What a person reads.
    pub message: String,
}

impl ServerError {
    /// A failed login.
    pub fn login_failed(user: &str) -> Self {
        Self { number: 18456, severity: 14, message: format!("Login failed for user '{user}'.") }
    }
}

/// Answer to a login: database, packet size, acknowledgement, done.
pub(super) fn acknowledge(database: &str, program: &str, version: [u8; 4]) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    environment(&mut out, 1, database, "master");
    environment(&mut out, 4, &PACKET_SIZE.to_string(), &PACKET_SIZE.to_string());
    let mut body = vec![1];
    body.extend_from_slice(&VERSION_7_4.to_be_bytes());
    put_short_text(&mut body, program);
    body.extend_from_slice(&version);
    put_token(&mut out, LOGIN_ACKNOWLEDGED, &body);
    done(&mut out, 0, 0, 0);
    out
}

/// Answer to a login or batch that is refused.
pub(super) fn refuse(error: &ServerError, server: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(64);
    body.extend_from_slice(&error.number.to_le_bytes());
    body.extend_from_slice(&[1, error.severity]);
    put_long_text(&mut body, &error.message);
    put_short_text(&mut body, server);
    put_short_text(&mut body, "");
    body.extend_from_slice(&1_u32.to_le_bytes());
    let mut out = Vec::with_capacity(body.len() + 16);
    put_token(&mut out, ERROR, &body);
    done(&mut out, DONE_ERROR, 0, 0);
    out
}

/// Answer to a batch: columns, rows, done.
pub(super) fn tabular(table: &Table) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + 32 * table.rows().len());
    out.push(COLUMNS);
    out.extend_from_slice(&(table.columns().len() as u16).to_le_bytes());
    for column in table.columns() {
        // User type 0; flags: may be null.
        out.extend_from_slice(&[0, 0, 0, 0, 1, 0]);
        match column.kind {
            ColumnKind::Integer => out.extend_from_slice(&[INTN, 8]),
            ColumnKind::Real => out.extend_from_slice(&[FLTN, 8]),
            ColumnKind::Text => {
                out.push(NVARCHAR);
                out.extend_from_slice(&TEXT_OCTETS_MAX.to_le_bytes());
                out.extend_from_slice(&COLLATION);
            }
        }
        let name: String = column.name.chars().take(128).collect();
        put_short_text(&mut out, &name);
    }
    for row in table.rows() {
        out.push(ROW);
        for (value, column) in row.iter().zip(table.columns()) {
            put_value(&mut out, value, column.kind);
        }
    }
    done(&mut out, DONE_COUNT, COMMAND_SELECT, table.rows().len() as u64);
    out
}

fn put_value(out: &mut Vec<u8>, value: &Value, kind: ColumnKind) {
    match value {
        Value::Integer(number) => {
            out.push(8);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Real(number) => {
            out.push(8);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Text(text) => {
            let octets = text_octets(text, usize::from(TEXT_OCTETS_MAX) / 2);
            out.extend_from_slice(&(octets.len() as u16).to_le_bytes());
            out.extend_from_slice(&octets);
        }
        Value::Null if kind == ColumnKind::Text => out.extend_from_slice(&NULL_TEXT.to_le_bytes()),
        Value::Null => out.push(0),
    }
}

fn environment(out: &mut Vec<u8>, kind: u8, new: &str, old: &str) {
    let mut body = vec![kind];
    put_short_text(&mut body, new);
    put_short_text(&mut body, old);
    put_token(out, ENVIRONMENT, &body);
}

fn put_token(out: &mut Vec<u8>, token: u8, body: &[u8]) {
    out.push(token);
    out.extend_from_slice(&(body.len() as u16).to_le_bytes());
    out.extend_from_slice(body);
}

fn done(out: &mut Vec<u8>, status: u16, command: u16, rows: u64) {
    out.push(DONE);
    out.extend_from_slice(&status.to_le_bytes());
    out.extend_from_slice(&command.to_le_bytes());
    out.extend_from_slice(&rows.to_le_bytes());
}

/// What an answer amounts to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub(super) acknowledged: bool,
    pub(super) table: Table,
    pub(super) error: Option<ServerError>,
}

/// Reads a whole token stream: the last table and the first error in it.
pub(super) fn parse(message: &[u8]) -> Result<Answer, TdsError> {
    let mut octets = Octets::new(message, "answer");
    let mut answer = Answer::default();
    while !octets.is_empty() {
        match octets.u8()? {
            COLUMNS => answer.table = Table::of_columns(parse_columns(&mut octets)?),
            // Without columns a row would be one octet, and a message of nothing but rows a flood.
            ROW if answer.table.columns().is_empty() => return Err(TdsError::Truncated { what: "columns" }),
            ROW => {
                let row = parse_row(&mut octets, answer.table.columns())?;
                answer.table.push(row).map_err(|_| TdsError::Truncated { what: "row" })?;
            }
            ERROR => {
                let length = usize::from(octets.u16()?);
                let error = parse_error(octets.take(length)?)?;
                answer.error.get_or_insert(error);
            }
            LOGIN_ACKNOWLEDGED => {
                let length = usize::from(octets.u16()?);
                octets.take(length)?;
                answer.acknowledged = true;
            }
            INFO | ENVIRONMENT => {
                let length = usize::from(octets.u16()?);
                octets.take(length)?;
            }
            DONE => {
                octets.take(4)?;
                octets.u64()?;
            }
            token => return Err(TdsError::UnknownToken { token }),
        }
    }
    Ok(answer)
}

fn parse_error(body: &[u8]) -> Result<ServerError, TdsError> {
    let mut octets = Octets::new(body, "error");
    let number = octets.u32()?;
    let _state = octets.u8()?;
    Ok(ServerError { number, severity: octets.u8()?, message: octets.long_text()? })
}

fn parse_columns(octets: &mut Octets<'_>) -> Result<Vec<Column>, TdsError> {
    let count = octets.u16()?;
    let mut columns = Vec::new();
    // FFFF means "no columns".
    for _ in 0..if count == 0xffff { 0 } else { count } {
        octets.take(6)?;
        let kind = match octets.u8()? {
            INTN => octets.u8().map(|_| ColumnKind::Integer)?,
            FLTN => octets.u8().map(|_| ColumnKind::Real)?,
            NVARCHAR => octets.take(7).map(|_| ColumnKind::Text)?,
            kind => return Err(TdsError::UnknownType { kind }),
        };
        columns.push(Column { name: octets.short_text()?, kind });
    }
    Ok(columns)
}

fn parse_row(octets: &mut Octets<'_>, columns: &[Column]) -> Result<Vec<Value>, TdsError> {
    columns.iter().map(|column| parse_value(octets, column.kind)).collect()
}

fn parse_value(octets: &mut Octets<'_>, kind: ColumnKind) -> Result<Value, TdsError> {
    Ok(match kind {
        ColumnKind::Text => match octets.u16()? {
            NULL_TEXT => Value::Null,
            length => Value::Text(text(octets.take(usize::from(length))?)),
        },
        ColumnKind::Integer => match octets.u8()? {
            0 => Value::Null,
            8 => Value::Integer(octets.u64()?.cast_signed()),
            _ => return Err(TdsError::UnknownType { kind: INTN }),
        },
        ColumnKind::Real => match octets.u8()? {
            0 => Value::Null,
            8 => Value::Real(f64::from_bits(octets.u64()?)),
            _ => return Err(TdsError::UnknownType { kind: FLTN }),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[
            ("time", ColumnKind::Integer),
            ("value", ColumnKind::Real),
            ("tag", ColumnKind::Text),
        ]);
        table.push(vec![Value::Integer(-5), Value::Real(7.25), Value::Text("LIT-401 µ".into())]).unwrap();
        table.push(vec![Value::Null, Value::Null, Value::Null]).unwrap();
        table
    }

    #[test]
    fn a_table_survives_the_wire() {
        let answer = parse(&tabular(&table())).unwrap();
        assert_eq!(answer, Answer { table: table(), ..Answer::default() });
    }

    #[test]
    fn a_row_must_fit_its_columns() {
        let mut table = table();
        assert!(table.push(vec![Value::Null]).is_err());
        assert!(table.push(vec![Value::Real(1.0), Value::Null, Value::Null]).is_err());
    }

    #[test]
    fn refusals_and_acknowledgements_are_read_back() {
        let error = ServerError::login_failed("replica");
        assert_eq!(parse(&refuse(&error, "historian")).unwrap().error, Some(error));
        assert!(parse(&acknowledge("process", "EXERCISE historian", [15, 0, 0, 0])).unwrap().acknowledged);
    }

    #[test]
    fn an_answer_cut_anywhere_is_refused_or_shorter() {
        let message = tabular(&table());
        for len in 0..message.len() {
            if let Ok(answer) = parse(&message[..len]) {
                assert!(answer.table.rows().len() <= 2);
            }
        }
        assert_eq!(parse(&[0x99]), Err(TdsError::UnknownToken { token: 0x99 }));
    }
}
