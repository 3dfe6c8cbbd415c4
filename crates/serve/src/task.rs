//! The one place where tasks are started.

use std::future::Future;

use tokio::task::{JoinError, JoinSet};

/// Tasks that end with this value: dropping it aborts what still runs.
#[derive(Debug, Default)]
pub(crate) struct Tasks(JoinSet<()>);

impl Tasks {
    /// Starts a task under a name for the log.
    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.0.spawn(async move {
            tracing::trace!(task = name, "begins");
            task.await;
            tracing::trace!(task = name, "ends");
        });
    }

    /// Forgets the tasks that have ended.
    pub(crate) fn sweep(&mut self) {
        while let Some(ended) = self.0.try_join_next() {
            report(ended);
        }
    }

    /// Waits for every task.
    pub(crate) async fn finish(&mut self) {
        while let Some(ended) = self.0.join_next().await {
            report(ended);
        }
    }

    /// How many run.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(reason) = ended {
        tracing::error!(%reason, "a task panicked");
    }
}
