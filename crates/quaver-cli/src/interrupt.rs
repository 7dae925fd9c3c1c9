//! Ctrl-C: the first ends the work cleanly, the second ends the program.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;

static STOP: AtomicBool = AtomicBool::new(false);
static HANDLER: OnceLock<Result<(), String>> = OnceLock::new();

/// A flag that Ctrl-C, SIGTERM and SIGHUP set. Temporary files are removed on the way out.
pub fn stop_flag() -> Result<&'static AtomicBool, Failure> {
    let set = HANDLER.get_or_init(|| {
        ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        })
        .map_err(|error| error.to_string())
    });
    match set {
        Ok(()) => Ok(&STOP),
        Err(error) => Err(Failure::Input(format!(
            "no handler for Ctrl-C can be set: {error}"
        ))),
    }
}
