//! The jump server's remote desktop, as far as a stranger gets: it confirms the connection, and then wants a login.
//!
//! A client begins with a connection request of X.224 in a TPKT (RFC 1006; [MS-RDPBCGR] 2.2.1.1), the server confirms it
//! (2.2.1.2). What would come next is licensing, graphics and a password; nobody here has one, so the connection ends.
//! It is enough for a port scan with service detection, and to see which subnets the rules let through.

use std::time::Duration;

use net::{KernelClock, Listener, Spawner, VirtualStream};
use record::with_timeout;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The port of the service.
pub(super) const PORT: u16 = 3389;
/// How long a client may take to ask.
const PATIENCE: Duration = Duration::from_secs(30);
/// TPKT version, a reserved octet, and the length of all.
const TPKT_LEN: usize = 4;
/// Longest connection request that is read.
const REQUEST_MAX: usize = 512;
/// Connection request and confirmation (X.224, 13.3 and 13.4).
const CONNECTION_REQUEST: u8 = 0xe0;

/// Connection confirm, then the negotiation's answer (type 2, length 8): TLS is what the server wants (protocol 1).
const CONFIRM: [u8; 19] = [3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 1, 0, 0, 0];

/// Accepts connections for ever.
pub(super) async fn listen(listener: Listener, clock: KernelClock, spawner: Spawner) {
    loop {
        let stream = listener.accept().await;
        let clock = clock.clone();
        spawner.spawn("remote desktop connection", async move {
            // How a connection ends is the client's affair.
            let _ = with_timeout(&clock, PATIENCE, greet(stream)).await;
        });
    }
}

async fn greet(mut stream: VirtualStream) -> std::io::Result<()> {
    let mut head = [0; TPKT_LEN];
    stream.read_exact(&mut head).await?;
    let [version, _, high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if version != 3 || !(TPKT_LEN + 7..=REQUEST_MAX).contains(&length) {
        return Ok(());
    }
    let mut request = vec![0; length - TPKT_LEN];
    stream.read_exact(&mut request).await?;
    if request.get(1).is_some_and(|kind| kind & 0xf0 == CONNECTION_REQUEST) {
        stream.write_all(&CONFIRM).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use net::{ProbeResult, ProbeStyle};
    use record::VirtualTime;

    use super::*;

    /// A request without a cookie that offers TLS, as in [MS-RDPBCGR] 4.1.1 but for the cookie.
    const REQUEST: [u8; 19] = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 1, 0, 0, 0];

    #[test]
    fn of_the_subnets_that_probe_it_the_rules_let_one_through() {
        for site in ["waterworks", "power"] {
            let site = site::Site::named(site).unwrap();
            let start = "2021-02-05T08:00:00Z".parse().unwrap();
            let mut kernel = net::Kernel::new(net::KernelConfig::new(1, start));
            let network = net::build(&mut kernel, &site).unwrap();
            super::super::serve_remote_desktop(&kernel, &network, &site);
            let jump = std::net::SocketAddrV4::new(network.host("jump").unwrap().address(), PORT);
            let found = Rc::new(RefCell::new(Vec::new()));
            for from in ["analyst-1", "it-historian", "hmi"] {
                let (host, found) = (network.host(from).unwrap(), found.clone());
                kernel.spawner().spawn(from, async move {
                    let result =
                        host.probe(jump, ProbeStyle::HalfOpen, Duration::from_secs(2)).await.unwrap();
                    found.borrow_mut().push((host.name().to_owned(), result));
                });
            }
            let (host, answer) = (network.host("analyst-1").unwrap(), Rc::new(RefCell::new(Vec::new())));
            let into = answer.clone();
            kernel.spawner().spawn("client", async move {
                let mut stream = host.connect(jump).await.unwrap();
                stream.write_all(&REQUEST).await.unwrap();
                let mut octets = Vec::new();
                stream.read_to_end(&mut octets).await.unwrap();
                into.replace(octets);
            });
            kernel.run_until(VirtualTime::from_secs(60)).unwrap();
            let found = found.take();
            let open: Vec<&str> = found
                .iter()
                .filter(|(_, result)| *result == ProbeResult::Open)
                .map(|(name, _)| name.as_str())
                .collect();
            assert_eq!((found.len(), open), (3, vec!["analyst-1"]), "{found:?}");
            assert_eq!(*answer.borrow(), CONFIRM);
        }
    }
}
