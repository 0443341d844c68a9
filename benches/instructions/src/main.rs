//! Does one step of a request so many times over, to be counted under callgrind: `fastingress-bench-instructions STEP TIMES`.
//!
//! `fastingress-bench-instructions machine` says what libraries choose their code by, as it is seen from inside.
//! What is done before the first time, and after the last, costs the same however often the step is done.

#[path = "../../../rust/route/tests/common/mod.rs"]
mod common;
mod heads;
mod lookup;

use std::io::Write;
use std::process::ExitCode;

/// Does it so many times.
type Step = fn(usize);

const STEPS: [(&str, Step); 8] = [
    ("request-head", heads::request),
    ("request-filtered", heads::filtered),
    ("request-encoded", heads::request_encoded),
    ("response-head", heads::response),
    ("response-encoded", heads::response_encoded),
    ("path", heads::path),
    ("lookup", lookup::one_host),
    ("lookup-10000", lookup::many_hosts),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["machine"] => say(&features()),
        [name, times] => {
            let step = STEPS.iter().find(|(known, _)| *known == name);
            match (step, times.parse()) {
                (Some((_, step)), Ok(times)) => {
                    step(times);
                    ExitCode::SUCCESS
                }
                _ => ExitCode::FAILURE,
            }
        }
        _ => ExitCode::FAILURE,
    }
}

/// The extensions of the processor that memchr and others look for.
fn features() -> String {
    #[cfg(target_arch = "x86_64")]
    let known = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("sse4.2", std::arch::is_x86_feature_detected!("sse4.2")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let known: [(&str, bool); 0] = [];
    let seen = known.iter().filter(|(_, has)| *has).map(|(name, _)| *name);
    std::iter::once(std::env::consts::ARCH)
        .chain(seen)
        .collect::<Vec<_>>()
        .join(" ")
}

fn say(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
