//! Runs that do not depend on each other, on as many threads as the machine has processors; what they give comes in
//! the order in which they were asked for, so that nothing printed depends on which was ready first.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result};

/// Does `work` for every job and hands the results to `each`, in the order of `jobs`. The first error in that order
/// ends it: no further job is begun.
pub(crate) fn in_order<Job: Sync, Output: Send>(
    jobs: &[Job],
    work: impl Fn(&Job) -> Result<Output> + Sync,
    mut each: impl FnMut(Output) -> Result<()>,
) -> Result<()> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(jobs.len());
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next, work) = (sender.clone(), &next, &work);
            let worker = move || {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(place) else { break };
                    if sender.send((place, work(job))).is_err() {
                        break;
                    }
                }
            };
            thread::Builder::new().spawn_scoped(scope, worker).context(
                "no thread for a run: end other programs or raise the limit of processes (ulimit -u)",
            )?;
        }
        drop(sender);
        let mut ready = BTreeMap::new();
        let mut due = 0;
        // Dropped with this closure: a worker whose result nobody wants any more ends.
        for (place, output) in receiver {
            ready.insert(place, output);
            while let Some(output) = ready.remove(&due) {
                each(output?)?;
                due += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anyhow::bail;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let jobs: Vec<u64> = (0..20).collect();
        let mut seen = Vec::new();
        let uneven = |job: &u64| {
            thread::sleep(Duration::from_millis(3 * (job % 2)));
            Ok(*job)
        };
        in_order(&jobs, uneven, |job| {
            seen.push(job);
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, jobs);
    }

    #[test]
    fn the_first_error_in_order_ends_it() {
        let jobs: Vec<u64> = (0..1000).collect();
        let begun = AtomicUsize::new(0);
        let mut seen = 0;
        let work = |job: &u64| {
            begun.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(1));
            if [7, 9].contains(job) {
                bail!("job {job}");
            }
            Ok(())
        };
        let error = in_order(&jobs, work, |()| {
            seen += 1;
            Ok(())
        });
        assert_eq!(error.unwrap_err().to_string(), "job 7");
        assert_eq!(seen, 7);
        assert!(begun.load(Ordering::Relaxed) < 1000);
    }

    #[test]
    fn no_jobs_give_nothing() {
        in_order(&[], |(): &()| -> Result<()> { unreachable!() }, |()| unreachable!()).unwrap();
    }
}
