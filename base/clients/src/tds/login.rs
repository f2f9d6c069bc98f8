//! Pre-login and login: what a client says before its first batch (\[MS-TDS\] sections 2.2.6.4 and 2.2.6.5).

use super::octets::{Octets, text, text_octets};
use super::packet::PACKET_SIZE;
use super::{TdsError, VERSION_7_4};

const OPTION_VERSION: u8 = 0;
const OPTION_ENCRYPTION: u8 = 1;
const OPTION_INSTANCE: u8 = 2;
const OPTION_THREAD: u8 = 3;
const OPTION_MARS: u8 = 4;
const OPTIONS_END: u8 = 0xff;

/// "I cannot encrypt": then nothing is encrypted, not even the login.
const ENCRYPTION_NOT_SUPPORTED: u8 = 2;
const ENCRYPTION_REQUIRED: u8 = 3;

/// A client's pre-login.
pub(super) fn client_prelogin() -> Vec<u8> {
    prelogin(&[
        (OPTION_VERSION, &[11, 0, 0, 0, 0, 0]),
        (OPTION_ENCRYPTION, &[ENCRYPTION_NOT_SUPPORTED]),
        (OPTION_INSTANCE, &[0]),
        (OPTION_THREAD, &[0, 0, 0, 1]),
        (OPTION_MARS, &[0]),
    ])
}

/// A server's answer to it.
pub(super) fn server_prelogin(version: [u8; 4]) -> Vec<u8> {
    let [major, minor, build_high, build_low] = version;
    prelogin(&[
        (OPTION_VERSION, &[major, minor, build_high, build_low, 0, 0]),
        (OPTION_ENCRYPTION, &[ENCRYPTION_NOT_SUPPORTED]),
        (OPTION_INSTANCE, &[0]),
        (OPTION_THREAD, &[]),
        (OPTION_MARS, &[0]),
    ])
}

fn prelogin(options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut offset = 5 * options.len() + 1;
    let mut message = Vec::with_capacity(64);
    for (option, data) in options {
        message.push(*option);
        message.extend_from_slice(&(offset as u16).to_be_bytes());
        message.extend_from_slice(&(data.len() as u16).to_be_bytes());
        offset += data.len();
    }
    message.push(OPTIONS_END);
    message.extend(options.iter().flat_map(|(_, data)| data.iter()));
    message
}

/// Looks at the other end's pre-login: the options must lie inside it, and it must not insist on encryption.
pub(super) fn check_prelogin(message: &[u8]) -> Result<(), TdsError> {
    let mut octets = Octets::new(message, "pre-login");
    loop {
        let option = octets.u8()?;
        if option == OPTIONS_END {
            return Ok(());
        }
        let (offset, length) = (usize::from(octets.u16_be()?), usize::from(octets.u16_be()?));
        let data =
            message.get(offset..offset + length).ok_or(TdsError::Truncated { what: "pre-login option" })?;
        if option == OPTION_ENCRYPTION && data.first() == Some(&ENCRYPTION_REQUIRED) {
            return Err(TdsError::EncryptionRequired);
        }
    }
}

/// Who logs in. Everything is EXERCISE data: the password travels obfuscated, which anyone can undo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// The client's host name.
    pub host: String,
    /// User name.
    pub user: String,
    /// Password. Part of the exercise: a trainee is meant to read it in the capture.
    pub password: String,
    /// What the client's program calls itself.
    pub application: String,
    /// The server's name.
    pub server: String,
    /// The database to use.
    pub database: String,
}

/// Octets before the texts.
const FIXED_LEN: usize = 94;
/// Characters of one text at most.
const TEXT_MAX: usize = 128;

impl Login {
    /// LOGIN7. Texts are cut at 128 characters.
    pub(super) fn emit(&self) -> Vec<u8> {
        let library = "EXERCISE TDS";
        let password: Vec<u8> = text_octets(&self.password, TEXT_MAX)
            .into_iter()
            .map(|octet| octet.rotate_left(4) ^ 0xa5)
            .collect();
        let text = |text: &str| text_octets(text, TEXT_MAX);
        // In the order of the offsets: the sixth is the unused extension, the eighth the language.
        let front = [
            text(&self.host),
            text(&self.user),
            password,
            text(&self.application),
            text(&self.server),
            Vec::new(),
            text(library),
            Vec::new(),
            text(&self.database),
        ];
        let length = FIXED_LEN + front.iter().map(Vec::len).sum::<usize>();
        let mut message = Vec::with_capacity(length);
        for word in [length as u32, VERSION_7_4, PACKET_SIZE as u32, 0x0100_0000, 1, 0] {
            message.extend_from_slice(&word.to_le_bytes());
        }
        // Flags: database and language changes are reported, initial ones must succeed; ODBC. No time zone, English.
        message.extend_from_slice(&[0xe0, 0x03, 0, 0, 0, 0, 0, 0, 0x09, 0x04, 0, 0]);
        let mut offset = FIXED_LEN;
        for text in &front {
            put_place(&mut message, offset, text.len() / 2);
            offset += text.len();
        }
        message.extend_from_slice(&[0; 6]);
        for _ in 0..3 {
            // SSPI, attached file, changed password: none.
            put_place(&mut message, offset, 0);
        }
        message.extend_from_slice(&[0; 4]);
        message.extend(front.into_iter().flatten());
        message
    }

    pub(super) fn parse(message: &[u8]) -> Result<Self, TdsError> {
        let mut octets = Octets::new(message, "login");
        octets.take(36)?;
        let mut place = || -> Result<&[u8], TdsError> {
            let (offset, characters) = (usize::from(octets.u16()?), usize::from(octets.u16()?));
            message.get(offset..offset + 2 * characters).ok_or(TdsError::Truncated { what: "login text" })
        };
        let [host, user, password, application, server, _, _, _, database] =
            [place()?, place()?, place()?, place()?, place()?, place()?, place()?, place()?, place()?];
        let password: Vec<u8> = password.iter().map(|octet| (octet ^ 0xa5).rotate_left(4)).collect();
        Ok(Self {
            host: text(host),
            user: text(user),
            password: text(&password),
            application: text(application),
            server: text(server),
            database: text(database),
        })
    }
}

fn put_place(message: &mut Vec<u8>, offset: usize, length: usize) {
    message.extend_from_slice(&(offset as u16).to_le_bytes());
    message.extend_from_slice(&(length as u16).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 4.2 of \[MS-TDS\] obfuscates nibble by nibble: "a" (61 00) becomes b3 a5.
    #[test]
    fn a_login_survives_the_wire_and_hides_its_password_badly() {
        let login = Login {
            host: "it-historian".into(),
            user: "replica".into(),
            password: "aEXERCISE".into(),
            application: "Replicator".into(),
            server: "historian".into(),
            database: "process".into(),
        };
        let message = login.emit();
        assert_eq!(message.len(), u32::from_le_bytes(message[..4].try_into().unwrap()) as usize);
        assert!(message.windows(2).any(|pair| pair == [0xb3, 0xa5]));
        assert_eq!(Login::parse(&message), Ok(login));
    }

    #[test]
    fn a_login_cut_anywhere_is_refused() {
        let message = Login { database: "process".into(), ..Login::default() }.emit();
        for len in 0..message.len() {
            assert!(matches!(Login::parse(&message[..len]), Err(TdsError::Truncated { .. })), "{len}");
        }
    }

    #[test]
    fn pre_login_options_must_lie_inside() {
        assert_eq!(check_prelogin(&client_prelogin()), Ok(()));
        assert_eq!(check_prelogin(&server_prelogin([15, 0, 0, 0])), Ok(()));
        let mut outside = client_prelogin();
        outside[1] = 0xff;
        assert_eq!(check_prelogin(&outside), Err(TdsError::Truncated { what: "pre-login option" }));
        assert_eq!(check_prelogin(&[]), Err(TdsError::Truncated { what: "pre-login" }));
        let insists = prelogin(&[(OPTION_ENCRYPTION, &[ENCRYPTION_REQUIRED])]);
        assert_eq!(check_prelogin(&insists), Err(TdsError::EncryptionRequired));
    }
}
