//! Where frames come from: a file, standard input, an interface.

use std::io;
use std::path::Path;

use super::outputs::Outputs;
use super::progress::Progress;
use super::sense::{SenseArgs, SenseError};
use crate::capture::{CaptureError, CaptureReader};
use crate::sensor::Sensor;
use crate::sink::LogSink;

/// How an interface is listened to.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct LiveArgs {
    /// Network interface to listen to, until SIGINT or SIGTERM (Linux; needs CAP_NET_RAW)
    #[arg(short = 'i', long, value_name = "IFACE", conflicts_with = "read")]
    pub interface: Option<String>,
    /// Octets kept of each frame that an interface gives
    #[arg(long, value_name = "OCTETS", default_value_t = 65_535)]
    #[arg(value_parser = clap::value_parser!(u32).range(64..=262_144))]
    pub snap_len: u32,
    /// Size of the ring in which the kernel keeps an interface's frames until they are read, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 16)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub ring: u32,
    /// Leave the interface as it is: see no frames for other hosts
    #[arg(long)]
    pub no_promiscuous: bool,
    /// Whom to become after opening the interface as root
    #[arg(long, value_name = "NAME", default_value = "nobody")]
    pub user: String,
}

/// What gives frames.
pub(crate) enum Input {
    Capture {
        reader: CaptureReader<Box<dyn io::Read>>,
        size: Option<u64>,
    },
    #[cfg(target_os = "linux")]
    Live(Box<crate::live::Live>),
}

impl Input {
    /// Opens what was asked for. An interface confines the process: what is to be read besides has to be read by then,
    /// and what delivers has to run.
    pub(crate) fn open(
        args: &SenseArgs,
        directory: Option<&Path>,
        outputs: &Outputs,
    ) -> Result<Self, SenseError> {
        if let Some(interface) = &args.live.interface {
            return Self::listen(args, interface, directory, outputs);
        }
        let Some(path) = &args.read else {
            return Err(SenseError::Usage {
                problem: "there is nothing to read".to_owned(),
                fix: "name a capture with -r FILE, an interface with -i IFACE, or one of the commands that --help lists"
                    .to_owned(),
            });
        };
        let name = path.display().to_string();
        let (source, size): (Box<dyn io::Read>, Option<u64>) = if path.as_os_str() == "-" {
            (Box::new(io::stdin().lock()), None)
        } else {
            let file = std::fs::File::open(path)
                .map_err(|source| CaptureError::Io { file: name.clone(), source })?;
            let size = file.metadata().ok().map(|metadata| metadata.len());
            (Box::new(file), size)
        };
        let mut reader = CaptureReader::new(&name, source)?;
        #[cfg(target_os = "linux")]
        reader.stop_at(crate::live::stop_at_signals());
        // Of a packed file nobody knows how much is to come.
        let size = size.filter(|_| !reader.is_packed());
        Ok(Self::Capture { reader, size })
    }

    #[cfg(target_os = "linux")]
    fn listen(
        args: &SenseArgs,
        interface: &str,
        directory: Option<&Path>,
        outputs: &Outputs,
    ) -> Result<Self, SenseError> {
        let config = crate::live::LiveConfig {
            interface: interface.to_owned(),
            snap_len: args.live.snap_len,
            ring_mib: args.live.ring,
            promiscuous: !args.live.no_promiscuous,
            user: args.live.user.clone(),
        };
        // A baseline is written beside the file of its name and then put in its place: its directory is written to.
        let baseline = args.baseline.as_deref().and_then(Path::parent);
        let baseline =
            baseline.map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
        let writes: Vec<_> = baseline.into_iter().chain(outputs.queues()).map(Path::to_owned).collect();
        // Collectors are spoken to by threads that run already: this one needs no sockets.
        let live = crate::live::Live::start(&config, directory, &writes, &outputs.made, false)?;
        eprintln!("{}", live.describe());
        Ok(Self::Live(Box::new(live)))
    }

    #[cfg(not(target_os = "linux"))]
    fn listen(_: &SenseArgs, _: &str, _: Option<&Path>, _: &Outputs) -> Result<Self, SenseError> {
        Err(SenseError::Usage {
            problem: "-i needs Linux".to_owned(),
            fix: "capture with another tool and read its file".to_owned(),
        })
    }

    /// Gives all frames to the sensor, to the end of the file or to a signal; `then` is called between frames, for what
    /// is to be done on the way.
    pub(crate) fn feed<S: LogSink>(
        &mut self,
        sensor: &mut Sensor<S>,
        then: &mut dyn FnMut(&mut Sensor<S>) -> Result<(), SenseError>,
    ) -> Result<(), SenseError> {
        match self {
            Self::Capture { reader, size } => read(reader, *size, sensor, then),
            #[cfg(target_os = "linux")]
            Self::Live(live) => {
                while live.run(sensor)? {
                    then(sensor)?;
                }
                Ok(())
            }
        }
    }
}

fn read<S: LogSink>(
    reader: &mut CaptureReader<Box<dyn io::Read>>,
    size: Option<u64>,
    sensor: &mut Sensor<S>,
    then: &mut dyn FnMut(&mut Sensor<S>) -> Result<(), SenseError>,
) -> Result<(), SenseError> {
    let mut progress = Progress::new(size);
    let mut last = 0;
    let ended = loop {
        match reader.next_frame() {
            Ok(Some(frame)) => {
                last = frame.unix_nanos;
                sensor.on_frame_of(frame.link, frame.unix_nanos, frame.octets, frame.wire_len as usize);
                then(sensor)?;
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.into()),
        }
        progress.tick(reader);
    };
    progress.end();
    sensor.on_drops(last, reader.dropped());
    ended
}
