//! Servers as processes, and requests to them on connections that stay open.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use super::{Result, TURN};

/// A process that listens.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
}

/// What one connection asks: given the answer before (none at first), the next request, or nothing more.
pub(crate) type Conversation = Box<dyn FnMut(Option<&Answer>) -> Option<String> + Send>;

/// Starts a program and waits for its first line.
pub(crate) fn started(command: &mut Command) -> Result<(Child, String)> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
    output.read_line(&mut line)?;
    if line.is_empty() {
        return Err(format!("{command:?} did not start").into());
    }
    // What else it says is read and forgotten: a closed pipe would end it.
    thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    Ok((child, line))
}

impl Server {
    /// Requests per second of the server's CPU time, while every conversation goes on, for one turn at most.
    pub(crate) fn rate(&self, conversations: Vec<Conversation>) -> Result<f64> {
        let conversations = conversations
            .into_iter()
            .map(|conversation| Ok((Connection::open(self)?, conversation)))
            .collect::<Result<Vec<_>>>()?;
        let until = Instant::now() + TURN;
        let before = self.cpu_seconds()?;
        let done = thread::scope(|scope| {
            let asking: Vec<_> = conversations
                .into_iter()
                .map(|(connection, next)| scope.spawn(move || ask_until(connection, until, next)))
                .collect();
            asking
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .sum::<Result<usize>>()
        })?;
        Ok(done as f64 / (self.cpu_seconds()? - before))
    }

    /// User and system time of all threads (proc_pid_stat(5), fields 14 and 15; a tick is a hundredth of a second).
    fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks: u64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        Ok(ticks as f64 / 100.0)
    }

    /// Resident memory in MiB (proc_pid_status(5)).
    pub(crate) fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What was measured is measured; nothing else in it matters.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask_until(mut connection: Connection, until: Instant, mut next: Conversation) -> Result<usize> {
    let mut done = 0;
    let mut request = next(None);
    while let Some(text) = request.filter(|_| Instant::now() < until) {
        let answer = exchange(&mut connection, &text)?;
        if answer.status != 200 {
            return Err(format!("{}: {}", answer.status, answer.body).into());
        }
        done += 1;
        request = next(Some(&answer));
    }
    Ok(done)
}

pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(server: &Server) -> Result<Connection> {
        let stream = TcpStream::connect(&server.address)?;
        stream.set_nodelay(true)?;
        Ok(Connection(BufReader::new(stream)))
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.head
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn location(&self) -> Result<String> {
        let location = self.headers("location").next();
        Ok(location
            .ok_or_else(|| format!("{}, no redirect: {}", self.status, self.body))?
            .to_owned())
    }

    /// A member of a JSON answer that is a string.
    pub(crate) fn member(&self, name: &str) -> Result<String> {
        let body: serde_json::Value = serde_json::from_str(&self.body)?;
        let value = body[name].as_str();
        Ok(value
            .ok_or_else(|| format!("no {name} in {}", self.body))?
            .to_owned())
    }
}

/// One request and its answer on a connection that stays open.
pub(crate) fn exchange(connection: &mut Connection, request: &str) -> Result<Answer> {
    connection.0.get_mut().write_all(request.as_bytes())?;
    let mut line = String::new();
    connection.0.read_line(&mut line)?;
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| {
            format!(
                "{:?} closed the connection at {:?}",
                connection.0.get_ref().peer_addr(),
                request.lines().next()
            )
        })?;
    let mut head = Vec::new();
    loop {
        line.clear();
        connection.0.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        head.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer {
        status,
        head,
        body: String::new(),
    };
    let length: usize = answer
        .headers("content-length")
        .next()
        .map_or(Ok(0), str::parse)?;
    let mut body = vec![0; length];
    connection.0.read_exact(&mut body)?;
    answer.body = String::from_utf8_lossy(&body).into_owned();
    Ok(answer)
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

pub(crate) fn post(path: &str, (user, password): (&str, &str), form: &str) -> String {
    let basic = openssl::base64::encode_block(format!("{user}:{password}").as_bytes());
    let length = form.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
    )
}
