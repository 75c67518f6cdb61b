// SPDX-License-Identifier: GPL-2.0

//! `frames count`: counts every frame that arrives, ours or not.

use crate::{
    endpoint::{self, Endpoint},
    stop::{Run, RunArgs},
    tally::Tally,
};
use std::{collections::BTreeMap, time::Duration};

/// How soon the end of the run is noticed.
const STOP_CHECK: Duration = Duration::from_millis(50);

pub fn count(interfaces: &[String], run: RunArgs) -> Result<(), String> {
    let mut endpoints = Vec::new();
    for interface in interfaces {
        let (name, interface) = interface.split_once('=').unwrap_or((interface, interface));
        endpoints.push(Endpoint::open(name, interface)?);
    }
    let mut tallies: Vec<_> = endpoints.iter().map(|_| Tally::default()).collect();
    let run = run.begin().map_err(|e| e.to_string())?;
    count_until_end(&mut endpoints, &mut tallies, &run).map_err(|e| e.to_string())?;
    for endpoint in &endpoints {
        endpoint.check_nothing_lost()?;
    }
    let by_name: BTreeMap<_, _> = endpoints.iter().map(|e| &e.name).zip(&tallies).collect();
    println!(
        "{}",
        serde_json::to_string_pretty(&by_name).map_err(|e| e.to_string())?
    );
    endpoint::close(endpoints);
    Ok(())
}

fn count_until_end(
    endpoints: &mut [Endpoint],
    tallies: &mut [Tally],
    run: &Run,
) -> std::io::Result<()> {
    loop {
        // What arrived before the end is in the sockets' buffers by now: drain them once more after
        // it.
        let ended = run.has_ended()?;
        for (endpoint, tally) in endpoints.iter_mut().zip(tallies.iter_mut()) {
            endpoint.drain(|arrived| tally.add(arrived))?;
        }
        if ended {
            return Ok(());
        }
        run.wait(endpoints, STOP_CHECK)?;
    }
}
