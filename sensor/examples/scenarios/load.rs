//! Clients and servers: real sockets on threads, and frames of made-up sources.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use sensor::stage::client::query;
use sensor::stage::namespace::Namespace;
use sensor::stage::packet_socket::PacketSocket;
use sensor::stage::responder::answer;

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Does {
    Answer,
    Servfail,
    Refuse,
    /// 1.5 s later.
    Slow,
    /// NXDOMAIN to names that begin with "x".
    Nxdomain,
    /// 3,000 bytes.
    Large,
    /// It does not read.
    Hang,
}

const ALL: [Does; 7] = [
    Does::Answer,
    Does::Servfail,
    Does::Refuse,
    Does::Slow,
    Does::Nxdomain,
    Does::Large,
    Does::Hang,
];

/// How late a slow answer is.
const LATE: Duration = Duration::from_millis(1_500);

/// A DNS server on a thread. Dropping it closes its socket.
pub struct Server {
    does: Arc<AtomicU8>,
    stop: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(namespace: &Namespace, address: IpAddr) -> Result<Self> {
        let socket = namespace.enter(|| UdpSocket::bind((address, 53)))??;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        let (does, stop) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicBool::new(false)));
        let (what, until) = (does.clone(), stop.clone());
        let worker = std::thread::spawn(move || serve(&socket, &what, &until));
        Ok(Self {
            does,
            stop,
            worker: Some(worker),
        })
    }

    pub fn does(&self, what: Does) {
        self.does.store(what as u8, Ordering::Relaxed);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            // It cannot panic in a way that matters here.
            let _ = worker.join();
        }
    }
}

fn serve(socket: &UdpSocket, does: &AtomicU8, stop: &AtomicBool) {
    let mut buffer = [0; 4096];
    let mut late: std::collections::VecDeque<(Instant, Vec<u8>, SocketAddr)> =
        std::collections::VecDeque::default();
    while !stop.load(Ordering::Relaxed) {
        while let Some((due, _, _)) = late.front()
            && *due <= Instant::now()
        {
            if let Some((_, answer, client)) = late.pop_front() {
                let _ = socket.send_to(&answer, client);
            }
        }
        let does = ALL[usize::from(does.load(Ordering::Relaxed))];
        if does == Does::Hang {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        }
        // Errors are about earlier answers (ICMP).
        let Ok((length, client)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let Some(mut answer) = answer(&buffer[..length]) else {
            continue;
        };
        let rcode = match does {
            Does::Servfail => 2,
            Does::Refuse => 5,
            Does::Nxdomain if buffer[13] == b'x' => 3,
            _ => 0,
        };
        answer[3] = answer[3] & 0xf0 | rcode;
        if does == Does::Large {
            answer.resize(3_000, 0);
        }
        if does == Does::Slow {
            late.push_back((Instant::now() + LATE, answer, client));
        } else {
            let _ = socket.send_to(&answer, client);
        }
    }
}

/// What a load asks for.
#[derive(Clone, Copy, Debug)]
pub enum Names {
    /// A few names.
    Usual,
    /// Names that do not exist, each once.
    Random,
}

const USUAL: [&str; 5] = [
    "www.example.org",
    "mail.example.org",
    "api.example.net",
    "example.com",
    "cdn.example.com",
];

/// Clients that ask at a rate that can be changed. Dropping it ends it.
pub struct Load {
    rate: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
}

impl Load {
    /// Each query is from another client, in turn.
    pub fn start(
        namespace: &Namespace,
        clients: &[IpAddr],
        server: IpAddr,
        names: Names,
        per_second: f64,
    ) -> Result<Self> {
        let sockets = namespace.enter(|| {
            clients
                .iter()
                .map(|client| {
                    let socket = UdpSocket::bind((*client, 0))?;
                    socket.set_nonblocking(true)?;
                    Ok(socket)
                })
                .collect::<io::Result<Vec<_>>>()
        })??;
        let rate = Arc::new(AtomicU32::new(ten_thousandths(per_second)));
        let stop = Arc::new(AtomicBool::new(false));
        let (per, until) = (rate.clone(), stop.clone());
        let server = SocketAddr::new(server, 53);
        let worker = std::thread::spawn(move || ask(&sockets, server, names, &per, &until));
        Ok(Self {
            rate,
            stop,
            worker: Some(worker),
        })
    }

    pub fn rate(&self, per_second: f64) {
        self.rate
            .store(ten_thousandths(per_second), Ordering::Relaxed);
    }
}

/// A rate as it fits an atomic.
#[expect(clippy::cast_sign_loss, reason = "rates are not negative")]
fn ten_thousandths(per_second: f64) -> u32 {
    (per_second * 10_000.0) as u32
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

fn ask(
    sockets: &[UdpSocket],
    server: SocketAddr,
    names: Names,
    rate: &AtomicU32,
    stop: &AtomicBool,
) {
    let mut random = Random(0x1234_5678_9abc_def1 ^ u64::from(std::process::id()));
    let mut next = Instant::now();
    let mut buffer = [0; 4096];
    for number in 0_usize.. {
        let rate = f64::from(rate.load(Ordering::Relaxed)) / 10_000.0;
        // Evenly spaced within a tenth, as people are not.
        let wait = (0.9 + 0.2 * random.unit()) / rate.max(0.001);
        next += Duration::from_secs_f64(wait);
        while let left = next.saturating_duration_since(Instant::now())
            && !left.is_zero()
        {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let socket = &sockets[number % sockets.len()];
        while socket.recv(&mut buffer).is_ok() {}
        let query = match names {
            Names::Usual => query(random.next() as u16, USUAL[number % USUAL.len()]),
            Names::Random => {
                let name = format!("x{:016x}.example.com", random.next());
                query(random.next() as u16, &name)
            }
        };
        // Errors are about earlier queries (ICMP), and end with one try.
        if socket.send_to(&query, server).is_err() {
            let _ = socket.send_to(&query, server);
        }
    }
}

/// A xorshift generator (Marsaglia 2003).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn unit(&mut self) -> f64 {
        f64::from((self.next() >> 32) as u32) / 2_f64.powi(32)
    }
}

/// What else a host sends, so that time passes in a capture of it. Dropping it ends it.
pub struct Chatter {
    stop: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
}

impl Chatter {
    /// A few datagrams a second, from a host to a neighbour's port for what nobody wants (discard, RFC 863).
    pub fn start(namespace: &Namespace, from: IpAddr, to: IpAddr) -> Result<Self> {
        let socket = namespace.enter(|| UdpSocket::bind((from, 0)))??;
        let stop = Arc::new(AtomicBool::new(false));
        let until = stop.clone();
        let worker = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                // Errors are about earlier ones (ICMP).
                let _ = socket.send_to(b"x", (to, 9));
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        Ok(Self {
            stop,
            worker: Some(worker),
        })
    }
}

impl Drop for Chatter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

/// What a flood of frames looks like.
#[derive(Clone, Copy, Debug)]
pub enum Frames {
    /// Queries from made-up sources, as fast as it goes.
    Spoofed,
    /// Queries of type ANY in the name of one network.
    Any,
    /// Large responses of many servers to one client.
    Responses,
}

/// Frames on a device. Dropping it ends it.
pub struct Flood {
    stop: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
}

impl Flood {
    /// `per_second` 0: as fast as it goes. `header` is an Ethernet header of the link.
    pub fn start(
        namespace: &Namespace,
        device: &str,
        header: [u8; 14],
        frames: Frames,
        target: IpAddr,
        per_second: u32,
    ) -> Result<Self> {
        let socket = PacketSocket::open(namespace, device)?;
        let stop = Arc::new(AtomicBool::new(false));
        let until = stop.clone();
        let worker = std::thread::spawn(move || {
            let mut random = Random(0xfeed_5eed_1234_5677);
            let begun = Instant::now();
            for number in 0_u64.. {
                if until.load(Ordering::Relaxed) {
                    return;
                }
                if per_second != 0 {
                    let due = begun + Duration::from_secs(1) * number as u32 / per_second;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                }
                let frame = frame(frames, header, target, &mut random);
                // A full queue loses a frame.
                let _ = socket.send(&frame);
            }
        });
        Ok(Self {
            stop,
            worker: Some(worker),
        })
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

fn frame(kind: Frames, header: [u8; 14], target: IpAddr, random: &mut Random) -> Vec<u8> {
    let number = random.next();
    let mut message = query(number as u16, USUAL[number as usize % USUAL.len()]);
    let (mut from_port, mut to_port) = (1024 + (number >> 16) as u16 % 60_000, 53);
    let source = match kind {
        Frames::Spoofed => match target {
            IpAddr::V4(_) => {
                let [a, b, c, d] = ((number >> 32) as u32).to_be_bytes();
                IpAddr::from([11 + a % 80, b, c, d])
            }
            IpAddr::V6(_) => {
                let mut bytes = [0x20, 0x01, 0x0d, 0xb8, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                bytes[5..13].copy_from_slice(&number.to_be_bytes());
                IpAddr::from(bytes)
            }
        },
        Frames::Any => {
            let at = message.len() - 4;
            message[at..at + 2].copy_from_slice(&255_u16.to_be_bytes());
            IpAddr::from([10, 1, 200, (number >> 40) as u8])
        }
        Frames::Responses => {
            (from_port, to_port) = (53, from_port);
            message = answer(&message).unwrap_or(message);
            // Worth reflecting; what is behind the answer is not read.
            message.resize(1_200, 0);
            IpAddr::from([10, 9, 0, (number >> 40) as u8 % 50])
        }
    };
    udp(header, source, target, (from_port, to_port), &message)
}

fn udp(
    header: [u8; 14],
    source: IpAddr,
    target: IpAddr,
    (from, to): (u16, u16),
    payload: &[u8],
) -> Vec<u8> {
    let length = 8 + payload.len() as u16;
    let mut segment = Vec::with_capacity(usize::from(length));
    for word in [from, to, length, 0] {
        segment.extend(word.to_be_bytes());
    }
    segment.extend(payload);
    let mut pseudo = Vec::new();
    let mut frame = Vec::from(header);
    match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            let mut ip = vec![0x45, 0];
            ip.extend((20 + length).to_be_bytes());
            ip.extend([0, 0, 0, 0, 64, 17, 0, 0]);
            ip.extend(source.octets());
            ip.extend(target.octets());
            let sum = checksum(&[&ip]);
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
            pseudo.extend(source.octets());
            pseudo.extend(target.octets());
            frame.extend(ip);
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            frame.extend([0x60, 0, 0, 0]);
            frame.extend(length.to_be_bytes());
            frame.extend([17, 64]);
            frame.extend(source.octets());
            frame.extend(target.octets());
            pseudo.extend(source.octets());
            pseudo.extend(target.octets());
        }
        _ => return frame,
    }
    pseudo.extend([0, 17]);
    pseudo.extend(length.to_be_bytes());
    let sum = checksum(&[&pseudo, &segment]);
    segment[6..8].copy_from_slice(&sum.to_be_bytes());
    frame.extend(segment);
    frame
}

/// RFC 1071.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    match !(sum as u16) {
        0 => 0xffff,
        sum => sum,
    }
}
