//! What surrounds the clients: a web server and a name server that show what somebody put into a folder.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};

const CHALLENGES: &str = "/.well-known/acme-challenge/";
/// RFC 1035 §3.2.2
const TXT: u16 = 16;

/// The files of this folder as proofs for http-01, on 127.0.0.1, until the test program ends. Returns the port.
pub(crate) fn serve_web(folder: PathBuf) -> Result<u16, String> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let port = listener
        .local_addr()
        .map_err(|error| error.to_string())?
        .port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // whoever hung up got no answer
            let _ = answer_get(stream, &folder);
        }
    });
    Ok(port)
}

fn answer_get(mut stream: TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    while !lines.next().transpose()?.unwrap_or_default().is_empty() {}
    let path = first.split(' ').nth(1).unwrap_or_default();
    let token = path
        .strip_prefix(CHALLENGES)
        .filter(|token| !token.contains(['/', '.']));
    match token.and_then(|token| std::fs::read(folder.join(token)).ok()) {
        Some(proof) => {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                proof.len()
            );
            stream.write_all(&[head.as_bytes(), &proof].concat())
        }
        None => stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    }
}

/// The files of this folder as TXT records: a file is named as the record is, without the dot at its end, and each line of it is a record.
/// Returns the port.
pub(crate) fn serve_names(folder: PathBuf) -> Result<u16, String> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let port = socket
        .local_addr()
        .map_err(|error| error.to_string())?
        .port();
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = answer_question(&buffer[..length], &folder) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    Ok(port)
}

/// RFC 1035 §4.1: header and question come back, with the records behind them.
fn answer_question(message: &[u8], folder: &Path) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let mut labels = Vec::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*message.get(at)?);
        let label = message.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8(label.to_ascii_lowercase()).ok()?);
    }
    let kind = u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?);
    let question = message.get(HEADER..at + 4)?;
    let zone = std::fs::read_to_string(folder.join(labels.join("."))).ok();
    let records: Vec<&str> = match &zone {
        Some(text) if kind == TXT => text.lines().collect(),
        _ => Vec::new(),
    };
    // an authoritative answer; NXDOMAIN for what has no file
    let flags = if zone.is_some() { 0x8580 } else { 0x8583_u16 };
    let counts = [1, u16::try_from(records.len()).ok()?, 0, 0];
    let mut answer = message.get(..2)?.to_vec();
    answer.extend(flags.to_be_bytes());
    answer.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    answer.extend(question);
    for record in records {
        let length = u8::try_from(record.len()).ok()?;
        // the name at the question's place, TXT, IN, to be forgotten at once
        answer.extend([0xc0, 0x0c, 0, 16, 0, 1, 0, 0, 0, 0, 0, length + 1, length]);
        answer.extend(record.as_bytes());
    }
    Some(answer)
}
