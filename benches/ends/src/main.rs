//! What stands at both ends of the proxies in the comparison, where no program of others will do.
//!
//! `fastingress-bench-ends calls PORT`: a backend for unary calls of gRPC, [`calls`].
//! `fastingress-bench-ends echo PORT`: a backend of WebSockets that gives every message back, [`echo`].
//! `fastingress-bench-ends talk PORT HOST CONNECTIONS SECONDS`: a client for that, [`echo`].
//! `fastingress-bench-ends steady PORT HOST PATH CONNECTIONS RATE SECONDS`: a client that holds a rate, [`steady`].
//!
//! All ports are of 127.0.0.1. Clients say in the end on one line what came of it, in words such as `done=5`.

mod calls;
mod echo;
mod steady;

use std::error::Error;
use std::future::Future;
use std::io::Write;
use std::net::Ipv4Addr;
use std::str::FromStr;
use tokio::net::{TcpListener, TcpStream};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    run(&words)
}

fn run(words: &[&str]) -> Outcome {
    match words {
        ["calls", port] => on_one_thread(serve(number(port)?, calls::answer)),
        ["echo", port] => on_one_thread(serve(number(port)?, echo::answer)),
        ["talk", port, host, connections, seconds] => {
            let talk = echo::Talk {
                port: number(port)?,
                host: (*host).to_owned(),
                connections: number(connections)?,
                seconds: number(seconds)?,
            };
            on_one_thread(async move { say(&talk.run().await?) })
        }
        ["steady", port, host, path, connections, rate, seconds] => say(&steady::Steady {
            port: number(port)?,
            request: format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            connections: number(connections)?,
            rate: number(rate)?,
            seconds: number(seconds)?,
        }
        .run()?),
        _ => Err("what its documentation says it takes is not what it was given".into()),
    }
}

/// A number, or an error with the text that is none.
fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no number for this"))
}

fn say(line: &str) -> Outcome {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn on_one_thread(work: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(tokio::task::LocalSet::new().run_until(work))
}

/// A task for each connection. What breaks one is no concern of the others.
async fn serve<F: Future<Output = Outcome> + 'static>(port: u16, answer: impl Fn(TcpStream) -> F) -> Outcome {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(answer(stream));
    }
}
