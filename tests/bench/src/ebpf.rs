// SPDX-License-Identifier: GPL-2.0

//! The eBPF programs of `peers/learn.bpf.c`, attached to all ports.

use anyhow::{Context, Result};
use aya::{
    programs::{
        tc::{qdisc_add_clsact, NlOptions, SchedClassifierLinkId, TcAttachOptions},
        LinkOrder, SchedClassifier, TcAttachType,
    },
    Ebpf, EbpfLoader,
};

use crate::hub::Hub;

const OBJECT: &str = "/out/bench/learn.bpf.o";

/// By what way a program is run for a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// As a filter, direct-action, of the qdisc clsact.
    Clsact,
    Tcx,
}

/// Programs that are attached.
pub struct Programs {
    ebpf: Ebpf,
    links: Vec<(&'static str, SchedClassifierLinkId)>,
}

impl Programs {
    /// Attaches them to all ports; their table has room for `capacity` MACs.
    pub fn start(attachment: Attachment, hub: &Hub, capacity: u32) -> Result<Self> {
        let mut ebpf = EbpfLoader::new()
            .set_max_entries("owner", capacity)
            .load_file(OBJECT)?;
        let mut links = Vec::new();
        if attachment == Attachment::Clsact {
            for device in hub.devices() {
                qdisc_add_clsact(device)?;
            }
        }
        for (name, direction) in [
            ("learn", TcAttachType::Ingress),
            ("filter", TcAttachType::Egress),
        ] {
            let program: &mut SchedClassifier =
                ebpf.program_mut(name).context("no program")?.try_into()?;
            program.load()?;
            for device in hub.devices() {
                let options = match attachment {
                    Attachment::Clsact => TcAttachOptions::Netlink(NlOptions::default()),
                    Attachment::Tcx => TcAttachOptions::TcxOrder(LinkOrder::default()),
                };
                let link = program.attach_with_options(device, direction, options)?;
                links.push((name, link));
            }
        }
        Ok(Self { ebpf, links })
    }

    pub fn stop(mut self) -> Result<()> {
        for (name, link) in self.links {
            let program: &mut SchedClassifier = self
                .ebpf
                .program_mut(name)
                .context("no program")?
                .try_into()?;
            program.detach(link)?;
        }
        Ok(())
    }
}
