//! Remote sessions to the operator station: its desktop service, and the person at the other end.

use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::{Either, select};
use net::{Host, VirtualStream};
use record::{Channel, Clock, KeyedStream, Role, VirtualTime, with_timeout};
use site::Access;

use crate::chronicle::Act;
use crate::hmi::Hmi;
use crate::plan::{PlannedEvent, between_scans};
use crate::rfb::{Client, Gesture, KEY_RETURN, Message, PORT, ROW_HEIGHT, ROW_WIDTH, Server};
use crate::scene::{Scene, open};

/// Size of the station's screen.
const SCREEN: (u16, u16) = (640, 480);
/// Time between two looks at the screen.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// Longest wait for an update.
const UPDATE_LIMIT: Duration = Duration::from_secs(5);

/// Tags with an entry field on the station's screen, from the top.
fn fields(scene: &Scene) -> Vec<String> {
    let devices = scene.site.devices.iter();
    devices
        .flat_map(|device| &device.registers)
        .filter(|entry| entry.access == Access::Write)
        .map(|entry| entry.tag.get_ref().clone())
        .collect()
}

/// Serves the station's desktop for ever.
pub(crate) async fn serve_desktop(hmi: Hmi) {
    let Ok(listener) = hmi.host.listen(PORT, 2) else { return };
    loop {
        let stream = listener.accept().await;
        let hmi = hmi.clone();
        hmi.scene.spawner.clone().spawn("hmi serves its desktop", async move {
            // A client that breaks the protocol or goes away ends its session.
            let _ = serve_session(&hmi, stream).await;
        });
    }
}

async fn serve_session(hmi: &Hmi, stream: VirtualStream) -> std::io::Result<()> {
    let fields = fields(&hmi.scene);
    let mut server = Server::open(stream, SCREEN, "HMI").await?;
    let mut chosen: Option<usize> = None;
    let mut figures = String::new();
    let mut next_row = 0;
    let row = |at: usize| {
        let value = fields.get(at).and_then(|tag| hmi.view.borrow().value(tag));
        (at as u16, value.map(|value| value.to_string()).unwrap_or_default())
    };
    while let Some(message) = server.next().await? {
        match message {
            Message::Update { incremental: false, .. } => {
                let rows: Vec<_> = (0..usize::from(SCREEN.1 / ROW_HEIGHT)).map(row).collect();
                server.show(&rows).await?;
            }
            Message::Update { .. } => {
                server.show(&[row(next_row)]).await?;
                next_row = (next_row + 1) % fields.len().max(1);
            }
            Message::Pointer { buttons: 1, y, .. } => {
                chosen = Some(usize::from(y / ROW_HEIGHT));
                figures.clear();
            }
            Message::Key { down: true, key: KEY_RETURN } => {
                if let (Some(tag), Ok(value)) = (chosen.and_then(|at| fields.get(at)), figures.parse::<f64>())
                {
                    enter(hmi, tag, value);
                }
                figures.clear();
            }
            Message::Key { down: true, key } => {
                if let Some(character) = char::from_u32(key)
                    && (character.is_ascii_digit() || character == '.')
                    && figures.len() < 12
                {
                    figures.push(character);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The station takes an entry in its next cycle, between two scans of the controllers.
fn enter(hmi: &Hmi, tag: &str, value: f64) {
    let scene = &hmi.scene;
    let expected = scene.entering.borrow_mut().remove(tag);
    let act = expected.unwrap_or_else(|| scene.chronicle.act(Rc::new(PlannedEvent::unlabelled("desktop"))));
    let at = between_scans(scene.clock.now(), 0);
    let (hmi, values) = (hmi.clone(), vec![(tag.to_owned(), value)]);
    scene.spawner.spawn("hmi enters a value", async move {
        hmi.scene.clock.sleep_until(at).await;
        hmi.enter(&act, &values).await;
    });
}

/// Opens a session to a desktop, looks at it for a while, and does what others ask through [`Scene::sessions`].
pub(crate) async fn visit(scene: &Scene, act: &Act, from: &Host, to: &Host, lasts: Duration) {
    let address = SocketAddrV4::new(to.address(), PORT);
    act.begin();
    act.tag_flow(from.next_flow(address));
    let until = scene.clock.now() + lasts;
    let id = act.event().id.clone();
    if let Ok(stream) = open(&scene.clock, from, address).await {
        act.on_the_wire();
        let (sender, gestures) = mpsc::unbounded();
        scene.sessions.borrow_mut().insert(id.clone(), sender);
        // A session that is cut is over; whoever held it sees that as anybody would.
        let _ = sit(scene, act, stream, gestures, until).await;
        scene.sessions.borrow_mut().remove(&id);
    }
    act.end();
    scene.untag_later(act).await;
}

async fn sit(
    scene: &Scene,
    act: &Act,
    stream: VirtualStream,
    mut gestures: mpsc::UnboundedReceiver<Gesture>,
    until: VirtualTime,
) -> std::io::Result<()> {
    let mut client = Client::open(stream).await?;
    act.in_the_log();
    let whole = [0, 0, ROW_WIDTH, SCREEN.1];
    let mut restless = KeyedStream::new(scene.seed, &act.event().id, "pointer");
    let mut looks = 0_u64;
    let mut next_look = scene.clock.now();
    while scene.clock.now() < until {
        match select(gestures.next(), scene.clock.sleep_until(next_look)).await {
            Either::Left((Some(gesture), _)) => {
                client.send(gesture).await?;
                act.seen(Role::Operator, Channel::Hmi);
            }
            Either::Left((None, _)) | Either::Right(_) => {
                let update = client.update(looks > 0, whole);
                if with_timeout(&scene.clock, UPDATE_LIMIT, update).await.transpose()?.is_none() {
                    return Err(std::io::ErrorKind::TimedOut.into());
                }
                // Whoever looks moves the pointer now and then.
                if restless.below(looks, 20) == 0 {
                    let (x, y) =
                        (restless.below(looks + 1, 600) as u16, restless.below(looks + 2, 440) as u16);
                    client.send(Gesture::Move { x, y }).await?;
                }
                looks += 1;
                next_look = scene.clock.now() + LOOK_PERIOD;
            }
        }
    }
    client.close().await
}

/// Enters values through an open session, by mouse and keyboard; does nothing where there is no session.
pub(crate) async fn click(scene: &Scene, act: &Act, session: &str, values: &[(String, f64)]) {
    let fields = fields(scene);
    let mut pace = KeyedStream::new(scene.seed, &act.event().id, "pace of typing");
    let mut strokes = 0;
    for (tag, value) in values {
        let Some(row) = fields.iter().position(|field| field == tag) else { continue };
        scene.entering.borrow_mut().insert(tag.clone(), act.clone());
        let mut gestures = vec![Gesture::Click { x: 40, y: row as u16 * ROW_HEIGHT + ROW_HEIGHT / 2 }];
        gestures.extend(value.to_string().chars().map(|figure| Gesture::Key(figure.into())));
        gestures.push(Gesture::Key(KEY_RETURN));
        for gesture in gestures {
            let sent =
                scene.sessions.borrow().get(session).is_some_and(|s| s.unbounded_send(gesture).is_ok());
            if !sent {
                scene.entering.borrow_mut().remove(tag);
                return;
            }
            scene.clock.sleep(Duration::from_millis(150 + pace.below(strokes, 250))).await;
            strokes += 1;
        }
    }
}
