//! A live engine with detection.

use std::net::IpAddr;

use anyhow::Result;
use sensor_common::sample::Sample;
use tokio::sync::mpsc;

use super::detection;
use crate::alerts::{Alert, Alerts};
use crate::cli::DetectionArguments;
use crate::detect::Place;
use crate::incident::book::About;
use crate::incident::record::Verified;
use crate::incident::{Change, Record};
use crate::kernel::engine::{KernelEngine, WatchOptions};
use crate::monitor::Monitor;
use crate::present::incident::IncidentObject;
use crate::present::objects::Losses;
use crate::samples::Names;
use crate::verify;

/// Each record of what goes on is brought up to date once in so many ticks, five seconds: a part of them at
/// each tick, so that they do not fill the queues on which changes wait.
const UPDATE: usize = 20;

/// See the module.
pub struct Live {
    /// What counts.
    pub engine: KernelEngine,
    /// What detects.
    pub monitor: Monitor,
    alerts: Alerts,
    ticks: usize,
    /// Where servers' words come in, if they are asked.
    verified: Option<Words>,
}

type Word = (IpAddr, Verified);

struct Words {
    send: mpsc::Sender<Word>,
    receive: mpsc::Receiver<Word>,
}

impl Live {
    /// Begins to watch, in the network namespace of this thread.
    ///
    /// # Errors
    /// The interfaces cannot be watched, or a file cannot be read.
    pub async fn watch(
        options: &WatchOptions,
        arguments: &DetectionArguments,
        about: About,
        alerts: Alerts,
    ) -> Result<Self> {
        let engine = KernelEngine::watch(options).await?;
        let place = Place {
            addresses: engine.addresses().clone(),
            one_direction: options.ingress_only && !engine.is_loopback(),
            ..Place::default()
        };
        let options_of = detection::options(arguments, place, about, true)?;
        let mut monitor = Monitor::new(&options.settings, engine.calendar(), options_of);
        monitor.observe(engine.snapshot(), &[]);
        Ok(Self {
            engine,
            monitor,
            alerts,
            ticks: 0,
            verified: None,
        })
    }

    /// Asks servers that fail, from now on.
    pub fn verify(&mut self) {
        let (send, receive) = mpsc::channel(16);
        self.verified = Some(Words { send, receive });
    }

    /// Does what is to be done at each tick, and gives what has changed.
    pub fn tick(&mut self, names: &mut Names) -> Vec<(Change, Record)> {
        self.engine.tick();
        let samples: Vec<Sample> = self.engine.samples().collect();
        for sample in &samples {
            names.add(sample);
        }
        self.monitor.set_addresses(self.engine.addresses());
        self.hear();
        let now = self.engine.snapshot();
        // Behind the snapshot: where all is still attached, it is whole.
        self.engine.look_at_hooks();
        if self.engine.is_partly_blind() {
            self.monitor.lose_sight();
        }
        let changes = self.monitor.observe(now, &samples);
        for (change, record) in &changes {
            self.tell(Some(*change), record.clone());
        }
        self.ticks += 1;
        for record in self.monitor.records(self.ticks % UPDATE, UPDATE) {
            self.tell(None, record);
        }
        if self.ticks.is_multiple_of(UPDATE) {
            self.ask();
        }
        changes
    }

    /// What was left out, but for the output.
    #[must_use]
    pub fn losses(&mut self) -> Losses {
        Losses {
            servers_forgotten: self.monitor.detector().forgotten(),
            incidents_unfollowed: self.monitor.book().unfollowed(),
            alerts_lost: self.alerts.lost(),
            lines_lost: 0,
        }
    }

    fn tell(&mut self, change: Option<Change>, record: Record) {
        let json = serde_json::to_string(&IncidentObject::new(&record, change));
        let packets = self.monitor.book().packets(&record.id);
        self.alerts.send(Alert {
            change,
            packets: packets.map(Into::into).unwrap_or_default(),
            calendar: *self.monitor.calendar(),
            // A record of strings and numbers always has a form in JSON.
            json: json.unwrap_or_default(),
            record,
        });
    }

    /// Asks each server that fails and was not asked lately.
    fn ask(&mut self) {
        let Some(words) = &self.verified else {
            return;
        };
        for server in self.monitor.to_be_verified() {
            let send = words.send.clone();
            let at_ms = self.monitor.now_ms();
            tokio::spawn(async move {
                let (udp, tcp) = verify::ask(server).await;
                // The sensor may have ended meanwhile.
                let _ = send.send((server.ip(), Verified { at_ms, udp, tcp })).await;
            });
        }
    }

    fn hear(&mut self) {
        while let Some((server, said)) = self
            .verified
            .as_mut()
            .and_then(|words| words.receive.try_recv().ok())
        {
            self.monitor.set_verified(server, said);
        }
    }

    /// Ends: keeps what goes on, and waits a little for whom it concerns. Gives what goes on.
    #[must_use]
    pub fn finish(mut self) -> Vec<Record> {
        let calendar = *self.monitor.calendar();
        let open = self.monitor.finish();
        let records = open.iter().map(|(record, _)| record.clone()).collect();
        for (record, packets) in open {
            self.alerts.send(Alert {
                change: None,
                packets,
                calendar,
                json: String::new(),
                record,
            });
        }
        self.alerts.finish();
        records
    }
}
