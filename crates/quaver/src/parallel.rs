//! Work on all cores whose results come out in order, as if one thread had done it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};

use crate::{Error, ErrorKind};

/// How far ahead of the first unfinished item the threads may work: what bounds memory when one item is slow.
pub(crate) const WINDOW_PER_THREAD: usize = 16;

/// As many threads as are asked for; one for every core by default.
pub(crate) fn workers(wanted: Option<NonZeroUsize>) -> NonZeroUsize {
    let threads = wanted.map_or_else(std::thread::available_parallelism, Ok);
    threads.unwrap_or(NonZeroUsize::MIN)
}

/// Calls `work` for items 0..n on `threads` threads, each with a state of its own from `state`, and `emit` on
/// this thread with every result in the order of the items. After `stop` was set no item is begun and none emitted.
///
/// # Errors
/// The first error in the order of the items, of `work` or `emit`; later items may then be left undone.
/// [`ErrorKind::Interrupted`] if items are left when `stop` is set.
pub(crate) fn ordered<S, R: Send>(
    n: usize,
    threads: NonZeroUsize,
    stop: &AtomicBool,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<R, Error> + Sync,
    mut emit: impl FnMut(usize, R) -> Result<(), Error>,
) -> Result<(), Error> {
    let window = threads.get() * WINDOW_PER_THREAD;
    let next = AtomicUsize::new(0);
    let gate = Gate {
        emitted: Mutex::new(Some(0)),
        moved: Condvar::new(),
    };
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads.get().min(n) {
            let sender = sender.clone();
            scope.spawn(|| {
                let sender = sender;
                let mut state = state();
                loop {
                    let item = next.fetch_add(1, Ordering::Relaxed);
                    if item >= n || !gate.wait_until(|emitted| item < emitted + window) {
                        return;
                    }
                    let result = go_on(stop).and_then(|()| work(&mut state, item));
                    if sender.send((item, result)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let result = collect(n, stop, &receiver, &gate, &mut emit);
        // Lets threads that wait for room go home, whether all is done or something failed.
        gate.close();
        result
    })
}

fn go_on(stop: &AtomicBool) -> Result<(), Error> {
    if stop.load(Ordering::Relaxed) {
        return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
    }
    Ok(())
}

fn collect<R>(
    n: usize,
    stop: &AtomicBool,
    receiver: &mpsc::Receiver<(usize, Result<R, Error>)>,
    gate: &Gate,
    emit: &mut impl FnMut(usize, R) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut early = BTreeMap::new();
    for item in 0..n {
        let result = loop {
            if let Some(result) = early.remove(&item) {
                break result;
            }
            let Ok((done, result)) = receiver.recv() else {
                return Err(Error::new(
                    ErrorKind::Interrupted,
                    "a worker thread stopped early",
                ));
            };
            early.insert(done, result);
        };
        // Whether items that were done meanwhile come out must not depend on how fast they were done.
        go_on(stop)?;
        emit(item, result?)?;
        gate.advance(item + 1);
    }
    Ok(())
}

/// How many items have been emitted; `None` once nobody wants more.
struct Gate {
    emitted: Mutex<Option<usize>>,
    moved: Condvar,
}

impl Gate {
    /// Waits for room; false if the gate closed instead.
    fn wait_until(&self, room: impl Fn(usize) -> bool) -> bool {
        let mut emitted = self.emitted.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match *emitted {
                None => return false,
                Some(count) if room(count) => return true,
                Some(_) => {
                    emitted = self
                        .moved
                        .wait(emitted)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn set(&self, value: Option<usize>) {
        *self.emitted.lock().unwrap_or_else(PoisonError::into_inner) = value;
        self.moved.notify_all();
    }

    fn advance(&self, count: usize) {
        self.set(Some(count));
    }

    fn close(&self) {
        self.set(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).unwrap()
    }

    #[test]
    fn results_come_in_order_whatever_the_number_of_threads() {
        for n_threads in [1, 2, 7] {
            let mut seen = Vec::new();
            ordered(
                1000,
                threads(n_threads),
                &AtomicBool::new(false),
                || (),
                |(), item| {
                    // Uneven work, so that threads overtake each other.
                    std::thread::sleep(std::time::Duration::from_micros((item as u64 * 7919) % 50));
                    Ok(item * item)
                },
                |item, square| {
                    seen.push((item, square));
                    Ok(())
                },
            )
            .unwrap();
            assert!(
                seen.iter().enumerate().all(|(i, &pair)| pair == (i, i * i)) && seen.len() == 1000
            );
        }
    }

    #[test]
    fn the_first_error_wins_and_nothing_hangs() {
        let fail = |at: usize| Error::new(ErrorKind::Data, format!("item {at}"));
        let error = ordered(
            500,
            threads(3),
            &AtomicBool::new(false),
            || (),
            |(), item| {
                if item % 100 == 99 {
                    Err(fail(item))
                } else {
                    Ok(())
                }
            },
            |_, ()| Ok(()),
        )
        .unwrap_err();
        assert_eq!(error.to_string(), "item 99");
        let error = ordered(
            500,
            threads(3),
            &AtomicBool::new(false),
            || (),
            |(), _| Ok(()),
            |item, ()| {
                if item == 7 { Err(fail(item)) } else { Ok(()) }
            },
        )
        .unwrap_err();
        assert_eq!(error.to_string(), "item 7");
        let stop = AtomicBool::new(false);
        ordered(0, threads(3), &stop, || (), |(), _| Ok(()), |_, ()| Ok(())).unwrap();
    }

    #[test]
    fn after_stop_nothing_is_emitted_even_if_it_is_done() {
        let stop = AtomicBool::new(false);
        let mut emitted = 0;
        let error = ordered(
            3,
            threads(3),
            &stop,
            || (),
            |(), _| Ok(()),
            |_, ()| {
                // Long enough for the others to be done.
                std::thread::sleep(std::time::Duration::from_millis(20));
                emitted += 1;
                stop.store(true, Ordering::Relaxed);
                Ok(())
            },
        )
        .unwrap_err();
        assert_eq!((error.kind(), emitted), (ErrorKind::Interrupted, 1));
    }
}
