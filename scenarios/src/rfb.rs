//! Remote framebuffer protocol 3.8 (RFC 6143), both ends: what a remote session to the operator station speaks.
//!
//! # Theory of operation
//! Handshake: both ends name version 3.8, the server offers security type 1 (none), the client takes it; then the client
//! says whether it shares the desktop and the server says how large the screen is. After that the client asks for
//! updates of the screen and sends what mouse and keyboard do; the server sends rectangles of raw pixels, one octet
//! each ([`PIXELS`]).
//!
//! The screen is a list of the station's entry fields, one row each: the tag's value in small figures. A click into a
//! row chooses the field, figures fill it, Return enters it. So what a remote person does is on the wire as they do it.
//!
//! Neither end trusts the other: lengths are bounded and unknown messages end the session.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// TCP port of display 0.
pub const PORT: u16 = 5900;
/// Version message of both ends (RFC 6143 section 7.1.1).
const VERSION: &[u8; 12] = b"RFB 003.008\n";
/// Security type "None" (section 7.1.2).
const SECURITY_NONE: u8 = 1;
/// Eight bits per pixel, true colour: three bits red, three green, two blue (section 7.4).
pub const PIXELS: [u8; 16] = [8, 8, 0, 1, 0, 7, 0, 7, 0, 3, 0, 3, 6, 0, 0, 0];
/// Raw encoding (section 7.7.1).
const RAW: i32 = 0;
/// Longest text that either end takes.
const TEXT_MAX: usize = 4096;
/// Most pixels that a client takes in one rectangle.
const PIXELS_MAX: usize = 1 << 20;

/// Height of one row of the screen.
pub const ROW_HEIGHT: u16 = 8;
/// Width of the part of a row that shows a value.
pub const ROW_WIDTH: u16 = 96;
/// Keysym of Return (X11's `keysymdef.h`).
pub const KEY_RETURN: u32 = 0xff0d;

/// What a person does with mouse and keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// The pointer moves, no button held.
    Move {
        /// From the left.
        x: u16,
        /// From the top.
        y: u16,
    },
    /// The left button goes down and up.
    Click {
        /// From the left.
        x: u16,
        /// From the top.
        y: u16,
    },
    /// A key goes down and up, by its keysym.
    Key(u32),
}

/// A message of a client that matters to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The client wants to see a part of the screen.
    Update {
        /// Only what changed.
        incremental: bool,
        /// From the left.
        x: u16,
        /// From the top.
        y: u16,
        /// Width.
        width: u16,
        /// Height.
        height: u16,
    },
    /// A key went down or up.
    Key {
        /// Down.
        down: bool,
        /// Keysym.
        key: u32,
    },
    /// The pointer moved or a button changed.
    Pointer {
        /// Buttons held, bit 0 the left one.
        buttons: u8,
        /// From the left.
        x: u16,
        /// From the top.
        y: u16,
    },
    /// Something that changes nothing here: pixel format, encodings, clipboard.
    Other,
}

fn broken(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

/// The client's end, after the handshake.
#[derive(Debug)]
pub struct Client<S> {
    stream: S,
    /// Width and height of the screen.
    pub screen: (u16, u16),
    /// What the server calls its desktop.
    pub name: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Shakes hands and sets pixel format and encoding.
    ///
    /// Errors: those of the stream; `InvalidData` where the server speaks another version or wants a password.
    pub async fn open(mut stream: S) -> io::Result<Self> {
        let mut version = [0; 12];
        stream.read_exact(&mut version).await?;
        if &version != VERSION {
            return Err(broken("server does not speak version 3.8"));
        }
        stream.write_all(VERSION).await?;
        let count = usize::from(stream.read_u8().await?);
        let mut types = vec![0; count];
        stream.read_exact(&mut types).await?;
        if !types.contains(&SECURITY_NONE) {
            return Err(broken("server offers no session without a password"));
        }
        stream.write_all(&[SECURITY_NONE]).await?;
        if stream.read_u32().await? != 0 {
            return Err(broken("server refuses"));
        }
        // Shared: whoever sits in front keeps the desktop.
        stream.write_all(&[1]).await?;
        let screen = (stream.read_u16().await?, stream.read_u16().await?);
        let mut format = [0; 16];
        stream.read_exact(&mut format).await?;
        let length = stream.read_u32().await? as usize;
        if length > TEXT_MAX {
            return Err(broken("name of the desktop is too long"));
        }
        let mut name = vec![0; length];
        stream.read_exact(&mut name).await?;
        let mut set_up = vec![0, 0, 0, 0];
        set_up.extend_from_slice(&PIXELS);
        stream.write_all(&set_up).await?;
        let mut encodings = vec![2, 0, 0, 1];
        encodings.extend_from_slice(&RAW.to_be_bytes());
        stream.write_all(&encodings).await?;
        Ok(Self { stream, screen, name: String::from_utf8_lossy(&name).into_owned() })
    }

    /// Asks for a part of the screen and takes the answer; the number of pixels that came.
    pub async fn update(&mut self, incremental: bool, area: [u16; 4]) -> io::Result<usize> {
        let mut request = vec![3, u8::from(incremental)];
        request.extend(area.iter().flat_map(|number| number.to_be_bytes()));
        self.stream.write_all(&request).await?;
        loop {
            match self.stream.read_u8().await? {
                0 => return self.rectangles().await,
                // Bell.
                2 => {}
                _ => return Err(broken("server sends a message of an unknown type")),
            }
        }
    }

    async fn rectangles(&mut self) -> io::Result<usize> {
        self.stream.read_u8().await?;
        let count = self.stream.read_u16().await?;
        let mut total = 0;
        for _ in 0..count {
            let mut header = [0; 12];
            self.stream.read_exact(&mut header).await?;
            let [_, _, _, _, w0, w1, h0, h1, encoding @ ..] = header;
            if i32::from_be_bytes(encoding) != RAW {
                return Err(broken("server sends an encoding nobody asked for"));
            }
            let pixels =
                usize::from(u16::from_be_bytes([w0, w1])) * usize::from(u16::from_be_bytes([h0, h1]));
            if pixels > PIXELS_MAX {
                return Err(broken("rectangle is too large"));
            }
            let mut content = vec![0; pixels];
            self.stream.read_exact(&mut content).await?;
            total += pixels;
        }
        Ok(total)
    }

    /// Sends what a person does.
    pub async fn send(&mut self, gesture: Gesture) -> io::Result<()> {
        let pointer = |buttons: u8, x: u16, y: u16| {
            let ([x0, x1], [y0, y1]) = (x.to_be_bytes(), y.to_be_bytes());
            [5, buttons, x0, x1, y0, y1]
        };
        let key = |down: u8, key: u32| {
            let [a, b, c, d] = key.to_be_bytes();
            [4, down, 0, 0, a, b, c, d]
        };
        let octets = match gesture {
            Gesture::Move { x, y } => pointer(0, x, y).to_vec(),
            Gesture::Click { x, y } => [pointer(1, x, y), pointer(0, x, y)].concat(),
            Gesture::Key(sym) => [key(1, sym), key(0, sym)].concat(),
        };
        self.stream.write_all(&octets).await
    }

    /// Ends the session in order.
    pub async fn close(mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }
}

/// The server's end, after the handshake.
#[derive(Debug)]
pub struct Server<S> {
    stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Server<S> {
    /// Shakes hands with a client.
    ///
    /// Errors: those of the stream; `InvalidData` where the client speaks another version.
    pub async fn open(mut stream: S, screen: (u16, u16), name: &str) -> io::Result<Self> {
        stream.write_all(VERSION).await?;
        let mut version = [0; 12];
        stream.read_exact(&mut version).await?;
        if &version != VERSION {
            return Err(broken("client does not speak version 3.8"));
        }
        stream.write_all(&[1, SECURITY_NONE]).await?;
        if stream.read_u8().await? != SECURITY_NONE {
            return Err(broken("client chose a security type that was not offered"));
        }
        stream.write_all(&0_u32.to_be_bytes()).await?;
        stream.read_u8().await?;
        let mut init = Vec::with_capacity(24 + name.len());
        init.extend_from_slice(&screen.0.to_be_bytes());
        init.extend_from_slice(&screen.1.to_be_bytes());
        init.extend_from_slice(&PIXELS);
        init.extend_from_slice(&(name.len() as u32).to_be_bytes());
        init.extend_from_slice(name.as_bytes());
        stream.write_all(&init).await?;
        Ok(Self { stream })
    }

    /// The next message; `None` when the client has closed.
    pub async fn next(&mut self) -> io::Result<Option<Message>> {
        let mut kind = [0];
        if self.stream.read(&mut kind).await? == 0 {
            return Ok(None);
        }
        let mut body = [0; 19];
        let length = match kind[0] {
            0 => 19,
            2 => 3,
            3 => 9,
            4 | 6 => 7,
            5 => 5,
            _ => return Err(broken("client sends a message of an unknown type")),
        };
        let body = &mut body[..length];
        self.stream.read_exact(body).await?;
        let word = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
        let long = |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
        Ok(Some(match kind[0] {
            0 if body[3..] != PIXELS => return Err(broken("only eight bits per pixel are spoken here")),
            2 => {
                self.skip(4 * usize::from(word(1))).await?;
                Message::Other
            }
            3 => Message::Update {
                incremental: body[0] != 0,
                x: word(1),
                y: word(3),
                width: word(5),
                height: word(7),
            },
            4 => Message::Key { down: body[0] != 0, key: long(3) },
            5 => Message::Pointer { buttons: body[0], x: word(1), y: word(3) },
            6 => {
                self.skip(long(3) as usize).await?;
                Message::Other
            }
            _ => Message::Other,
        }))
    }

    async fn skip(&mut self, length: usize) -> io::Result<()> {
        if length > TEXT_MAX {
            return Err(broken("message is too long"));
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.map(|_| ())
    }

    /// Sends rows of the screen as one update: row number and what it shows.
    pub async fn show(&mut self, rows: &[(u16, String)]) -> io::Result<()> {
        let mut out = vec![0, 0];
        out.extend_from_slice(&(rows.len() as u16).to_be_bytes());
        for (row, text) in rows {
            for number in [0, row * ROW_HEIGHT, ROW_WIDTH, ROW_HEIGHT] {
                out.extend_from_slice(&number.to_be_bytes());
            }
            out.extend_from_slice(&RAW.to_be_bytes());
            out.extend_from_slice(&draw(text));
        }
        self.stream.write_all(&out).await
    }
}

/// Figures three pixels wide and five high, one bit a pixel, top row first: 0 to 9, point, minus.
const FIGURES: [(char, u16); 12] = [
    ('0', 0o75557),
    ('1', 0o26227),
    ('2', 0o71747),
    ('3', 0o71717),
    ('4', 0o55711),
    ('5', 0o74717),
    ('6', 0o74757),
    ('7', 0o71111),
    ('8', 0o75757),
    ('9', 0o75717),
    ('.', 0o00002),
    ('-', 0o00700),
];

/// One row of the screen: dark figures on light ground.
fn draw(text: &str) -> Vec<u8> {
    let (width, height) = (usize::from(ROW_WIDTH), usize::from(ROW_HEIGHT));
    let mut pixels = vec![0xff; width * height];
    for (place, character) in text.chars().enumerate() {
        let Some((_, figure)) = FIGURES.iter().find(|(c, _)| *c == character) else { continue };
        for bit in 0..15 {
            let (x, y) = (2 + 4 * place + bit % 3, 1 + bit / 3);
            if figure >> (14 - bit) & 1 == 1 && x < width {
                pixels[y * width + x] = 0x00;
            }
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::future::join;

    #[test]
    fn a_session_carries_screen_and_gestures() {
        let (near, far) = tokio::io::duplex(1 << 16);
        let client = async {
            let mut client = Client::open(near).await.unwrap();
            assert_eq!((client.screen, client.name.as_str()), ((640, 480), "desk"));
            assert_eq!(client.update(false, [0, 0, 96, 16]).await.unwrap(), 2 * 96 * 8);
            client.send(Gesture::Click { x: 10, y: 300 }).await.unwrap();
            client.send(Gesture::Key(KEY_RETURN)).await.unwrap();
            client.close().await.unwrap();
        };
        let server = async {
            let mut server = Server::open(far, (640, 480), "desk").await.unwrap();
            let mut seen = Vec::new();
            while let Some(message) = server.next().await.unwrap() {
                if let Message::Update { .. } = message {
                    server.show(&[(0, "7.24".into()), (1, "11100".into())]).await.unwrap();
                }
                seen.push(message);
            }
            seen
        };
        let ((), seen) = block_on(join(client, server));
        assert_eq!(seen[..2], [Message::Other, Message::Other]);
        assert_eq!(
            seen[3..],
            [
                Message::Pointer { buttons: 1, x: 10, y: 300 },
                Message::Pointer { buttons: 0, x: 10, y: 300 },
                Message::Key { down: true, key: KEY_RETURN },
                Message::Key { down: false, key: KEY_RETURN },
            ]
        );
    }

    #[test]
    fn a_garbled_handshake_is_an_error_and_never_a_panic() {
        let good: Vec<u8> = [&VERSION[..], &[SECURITY_NONE, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 9]].concat();
        for cut in 0..good.len() {
            for octet in [0, 1, 7, 255] {
                let mut bad = good.clone();
                bad[cut] = octet;
                let (mut near, far) = tokio::io::duplex(1 << 12);
                block_on(async {
                    near.write_all(&bad).await.unwrap();
                    near.shutdown().await.unwrap();
                    if let Ok(mut server) = Server::open(far, (640, 480), "desk").await {
                        while let Ok(Some(_)) = server.next().await {}
                    }
                });
            }
        }
    }

    #[test]
    fn figures_are_drawn() {
        let pixels = draw("1");
        let dark: Vec<_> = (0..usize::from(ROW_HEIGHT))
            .map(|y| (0..8).filter(|x| pixels[y * 96 + x] == 0).count())
            .collect();
        assert_eq!(dark, [0, 1, 2, 1, 1, 3, 0, 0]);
    }
}
