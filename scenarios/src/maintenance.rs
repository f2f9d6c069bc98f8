//! Work from the engineering workstation, at its own desk or through the jump server.
//!
//! Somebody who sits down over the network opens a connection to the workstation's remote desktop: the connection
//! request and confirm of MS-RDPBCGR (sections 2.2.1.1 and 2.2.1.2) are exchanged, then the connection stands as long as
//! the work takes. What would pass inside it is not part of the lab.

use std::net::SocketAddrV4;
use std::time::Duration;

use clients::ClientError;
use net::{Host, KernelClock, VirtualStream};
use record::Clock;
use site::{Access, Table};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::modbus::{FunctionCode, LogicRequest, ObjectId, ReadDeviceIdCode, RegisterAddress};

use crate::chronicle::{Act, Sign};
use crate::poller::{Block, blocks};
use crate::scene::{Scene, open, write_entry};

/// Port of the remote desktop.
const DESKTOP_PORT: u16 = 3389;
/// TPKT, X.224 connection request with the cookie of the user, negotiation request for standard security.
const CONNECTION_REQUEST: &[u8] =
    b"\x03\x00\x00\x2e\x29\xe0\x00\x00\x00\x00\x00Cookie: mstshash=engineer\r\n\x01\x00\x08\x00\x00\x00\x00\x00";
/// TPKT, X.224 connection confirm, negotiation response: standard security.
const CONNECTION_CONFIRM: &[u8] =
    b"\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x00\x00\x00\x00";
/// Time between two looks at the configuration.
const LOOK_PERIOD: Duration = Duration::from_secs(20);

/// Serves the workstation's remote desktop for ever.
pub(crate) async fn serve_desktop(scene: Scene, host: Host) {
    let Ok(listener) = host.listen(DESKTOP_PORT, 2) else { return };
    loop {
        let mut stream = listener.accept().await;
        scene.spawner.spawn("ews serves its desktop", async move {
            let mut request = [0; CONNECTION_REQUEST.len()];
            if stream.read_exact(&mut request).await.is_ok() && request == *CONNECTION_REQUEST {
                // Whoever is gone by now hears nothing; the session ends when they close.
                let _ = stream.write_all(CONNECTION_CONFIRM).await;
                let _ = stream.read(&mut request).await;
            }
        });
    }
}

/// Sits down at the workstation over the network; the session lasts as long as the stream.
async fn sit_down(scene: &Scene, act: &Act, via: &Host, at: &Host) -> Option<VirtualStream> {
    let to = SocketAddrV4::new(at.address(), DESKTOP_PORT);
    act.begin();
    act.tag_flow(via.next_flow(to));
    let mut stream = open(&scene.clock, via, to).await.ok()?;
    act.on_the_wire();
    stream.write_all(CONNECTION_REQUEST).await.ok()?;
    let mut confirm = [0; CONNECTION_CONFIRM.len()];
    stream.read_exact(&mut confirm).await.ok()?;
    Some(stream)
}

/// Works on a controller: asks who it is, reads what clients may set, enters values spread over the time.
pub(crate) async fn maintain(
    scene: &Scene,
    act: &Act,
    from: &Host,
    via: Option<&Host>,
    device: &str,
    values: &[(String, f64)],
    lasts: Duration,
) {
    let until = scene.clock.now() + lasts;
    let desk = match via {
        Some(via) => sit_down(scene, act, via, from).await,
        None => None,
    };
    if via.is_none() || desk.is_some() {
        // A controller that does not answer ends the work.
        let _ = work(scene, act, from, device, values, lasts).await;
        if desk.is_some() {
            scene.clock.sleep_until(until).await;
        }
    }
    drop(desk);
    act.end();
    scene.untag_later(act).await;
}

/// Stops a controller with function 90, and starts it again after `lasts`.
pub(crate) async fn halt(
    scene: &Scene,
    act: &Act,
    from: &Host,
    via: Option<&Host>,
    device: &str,
    lasts: Option<Duration>,
) {
    let desk = match via {
        Some(via) => sit_down(scene, act, via, from).await,
        None => None,
    };
    if via.is_none() || desk.is_some() {
        if desk.is_some() {
            scene.clock.sleep(LOOK_PERIOD).await;
        }
        // A controller that does not answer, or whose key forbids it, ends the work.
        let _ = stop_and_start(scene, act, from, device, lasts).await;
    }
    drop(desk);
    act.end();
    scene.untag_later(act).await;
}

async fn stop_and_start(
    scene: &Scene,
    act: &Act,
    from: &Host,
    device: &str,
    lasts: Option<Duration>,
) -> Result<(), ClientError> {
    let Some((device, to)) = scene.device(device) else { return Ok(()) };
    let mut client = scene.dial(from, act, device, to).await?;
    for request in [LogicRequest::Status, LogicRequest::Stop] {
        client.raw(FunctionCode::LOGIC, &[request.sub_code()]).await?;
        act.in_the_log();
    }
    if let Some(lasts) = lasts {
        // The device hangs up on somebody who is silent for long: the start goes over a connection of its own.
        drop(client);
        scene.clock.sleep(lasts).await;
        let mut client = scene.dial(from, act, device, to).await?;
        client.raw(FunctionCode::LOGIC, &[LogicRequest::Start.sub_code()]).await?;
    }
    Ok(())
}

async fn work(
    scene: &Scene,
    act: &Act,
    from: &Host,
    device: &str,
    values: &[(String, f64)],
    lasts: Duration,
) -> Result<(), ClientError> {
    let Some((device, to)) = scene.device(device) else { return Ok(()) };
    let mut client = scene.dial(from, act, device, to).await?;
    identify_over(&mut client).await?;
    act.in_the_log();
    let configuration: Vec<Block> = blocks(device, Table::Holding, |entry| entry.access == Access::Write)
        .into_iter()
        .chain(blocks(device, Table::Coil, |_| true))
        .chain(blocks(device, Table::Input, |_| true))
        .collect();
    let looks = (lasts.as_millis() / LOOK_PERIOD.as_millis()).max(1) as usize;
    let mut entered = 0;
    for look in 0..looks {
        scene.clock.sleep(LOOK_PERIOD).await;
        for block in &configuration {
            let (address, count) = (RegisterAddress(block.first), block.count);
            match block.table {
                Table::Holding => client.read_holding_registers(address, count).await.map(drop)?,
                Table::Coil => client.read_coils(address, count).await.map(drop)?,
                _ => client.read_input_registers(address, count).await.map(drop)?,
            }
        }
        // The n-th of N values is entered after n/(N+1) of the time.
        while entered < values.len() && (look + 1) * (values.len() + 1) >= (entered + 1) * looks {
            let (tag, value) = &values[entered];
            entered += 1;
            let Some(entry) = device.writable_entry(tag) else { continue };
            write_entry(&mut client, entry, *value).await?;
            act.awaits(Sign::Value { tag: tag.clone(), value: entry.decode(entry.encode(*value)) });
        }
    }
    Ok(())
}

/// Asks a controller who it is: functions 43/14 and 17. One that knows neither is no error.
pub(crate) async fn identify_over(
    client: &mut clients::ModbusClient<KernelClock>,
) -> Result<(), ClientError> {
    match client.read_device_identification(ReadDeviceIdCode::Basic, ObjectId(0)).await {
        Ok(_) | Err(ClientError::Exception(_)) => {}
        Err(error) => return Err(error),
    }
    match client.report_server_id().await {
        Ok(_) | Err(ClientError::Exception(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn desktop_messages_have_the_lengths_they_claim() {
        for message in [CONNECTION_REQUEST, CONNECTION_CONFIRM] {
            assert_eq!(usize::from(u16::from_be_bytes([message[2], message[3]])), message.len(), "TPKT");
            assert_eq!(usize::from(message[4]), message.len() - 5, "X.224");
        }
    }
}
