// SPDX-License-Identifier: GPL-2.0

//! Carries sequences out on the running kernel: a bridge and its ports in a network namespace of
//! this process, and the NICs behind the ports, which are the other ends of veth pairs.

use crate::{
    event::{Destination, Event, Frame, Ingress, Port, Ports, Sequence, Switch, PORTS, TAGGED},
    netlink::Netlink,
    promise::{Expectation, Model, Verdict},
    wire::{unload_module, Label, Nic},
};
use nix::{
    errno::Errno,
    mount::{mount, MsFlags},
    sched::{sched_getcpu, sched_setaffinity, sched_yield, unshare, CloneFlags, CpuSet},
    unistd::Pid,
};
use std::{
    fmt::{self, Display, Formatter},
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering},
        Barrier,
    },
    thread,
    time::{Duration, Instant},
};

/// Until what has to happen has happened, or the run fails.
const DEADLINE: Duration = Duration::from_secs(20);
/// Until what may take a moment in the background has happened, or the sequence goes on all the
/// same: the frames tell.
const PATIENCE: Duration = Duration::from_millis(500);
/// Until a port has no copy any more that it need not have.
const SETTLING: Duration = Duration::from_secs(5);
const LEARNING_AGEING_TIME: &str = "30000";
const NOBODY: [u8; 6] = [2, 0, 0, 0, 0xff, 1];
const BRIDGE_ADDRESS: [u8; 6] = [2, 0, 0, 0, 0x0b, 1];
const LINK_LOCAL: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0x0e];
/// Further ports that nobody is behind, so that unloading takes a while.
const IDLE_PORTS: u32 = 160;
const RCU_EXPEDITED: &str = "/sys/kernel/rcu_expedited";

/// A frame was not delivered as it had to be.
#[derive(Clone, Debug)]
pub struct Breach {
    /// Number of the event in the sequence.
    pub event: usize,
    pub frame: Frame,
    pub port: Port,
    pub copies: u32,
    pub expectation: Expectation,
}

impl Breach {
    /// Whether a port got a copy too many, as opposed to losing one.
    pub fn is_leak(&self) -> bool {
        matches!(self.expectation, Expectation::MustNot(_))
    }
}

impl Display for Breach {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Breach {
            event,
            frame,
            port,
            copies,
            expectation,
        } = self;
        let expected = match expectation {
            Expectation::Must(why) => format!("must get it: {why}"),
            Expectation::May => "may get it once".into(),
            Expectation::MustNot(why) => format!("must not get it: {why}"),
        };
        write!(
            f,
            "event {}, frame {frame}: {port} got it {copies} times and {expected}",
            event + 1
        )
    }
}

/// A frame that was sent, and what is expected of it.
struct Sent {
    event: usize,
    frame: Frame,
    verdict: Verdict,
}

pub struct Lab {
    netlink: Netlink,
    bridge: u32,
    ports: [u32; PORTS],
    nics: [Nic; PORTS],
    far_ends: [u32; PORTS],
    bridge_nic: Nic,
    joined: Ports,
    /// The ports that nobody is behind.
    idle: Vec<u32>,
    /// Those of them that have joined.
    idle_joined: Vec<u32>,
    run: u32,
    cpu: usize,
}

type Result<T> = std::result::Result<T, String>;

fn because<E: Display>(what: impl Display) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {error}")
}

impl Lab {
    /// Puts this process in a network namespace of its own and makes the bridge there.
    pub fn new() -> Result<Lab> {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).map_err(because("unshare"))?;
        let none: Option<&Path> = None;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(none, "/", none, private, none).map_err(because("mount /"))?;
        mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none)
            .map_err(because("mount /sys"))?;
        for name in ["all", "default"] {
            // A kernel without IPv6 sends no frames of its own either.
            let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
        }
        // With a forward delay, states would change by themselves after a while.
        let mut batch =
            String::from("link add name br up type bridge mcast_snooping 0 forward_delay 0\n");
        for port in Port::all() {
            batch += &format!(
                "link add name {port} type veth peer name far{}\n",
                port.index()
            );
        }
        for number in 0..IDLE_PORTS {
            batch += &format!("link add name {} up type dummy\n", idle_name(number));
        }
        let mut ip = Command::new("ip")
            .args(["-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(because("ip"))?;
        let input = ip
            .stdin
            .take()
            .map(|mut input| input.write_all(batch.as_bytes()));
        let status = ip.wait().map_err(because("ip"))?;
        if !status.success() || !matches!(input, Some(Ok(()))) {
            return Err(format!("ip: {status}"));
        }
        let far_ends = try_each(|port| index_of(&format!("far{}", port.index())))?;
        let bridge = index_of("br")?;
        // What frames leave behind is looked for on one CPU.
        let cpu = sched_getcpu().map_err(because("sched_getcpu"))?;
        bind_to(cpu)?;
        // With this, waiting for readers takes no time.
        let _ = fs::write(RCU_EXPEDITED, "1");
        let lab = Lab {
            netlink: Netlink::new().map_err(because("netlink"))?,
            bridge,
            ports: try_each(|port| index_of(&port.to_string()))?,
            nics: try_each(|port| Nic::open(far_ends[port.index()]).map_err(because(port)))?,
            far_ends,
            bridge_nic: Nic::open(bridge).map_err(because("br"))?,
            joined: Ports::NONE,
            idle: (0..IDLE_PORTS)
                .map(|number| index_of(&idle_name(number)))
                .collect::<Result<_>>()?,
            idle_joined: Vec::new(),
            run: 0,
            cpu,
        };
        Ok(lab)
    }

    /// Carries a sequence out. `None` if all frames went where they had to.
    pub fn carry_out(&mut self, sequence: &Sequence) -> Result<Option<Breach>> {
        let mut model = Model::new(&sequence.setup);
        self.begin(sequence, &model)?;
        let mut sent = Vec::new();
        for (number, event) in sequence.events.iter().enumerate() {
            match event {
                Event::Frame(frame) => {
                    self.wait_for_lost_links(&model)?;
                    let label = self.label(&sent);
                    let verdict = model.frame(frame);
                    self.send(frame, label)?;
                    sent.push(Sent {
                        event: number,
                        frame: *frame,
                        verdict,
                    });
                    continue;
                }
                Event::Move(..) => {
                    model.apply(event);
                    continue;
                }
                _ => {}
            }
            if let Some(breach) = self.check(&mut sent, &mut model)? {
                return Ok(Some(breach));
            }
            match event {
                Event::Both(first, second) => {
                    self.both(number, first, second, &mut model, &mut sent)?;
                }
                Event::UnloadUnder => {
                    let breach = self.unload_under(number, &mut model)?;
                    if breach.is_some() {
                        return Ok(breach);
                    }
                }
                _ => {
                    let before = model.bridge().clone();
                    let happens = model.apply(event);
                    let result = self.act(event, &before.joined());
                    match result {
                        Err(error) if happens => return Err(format!("{event}: {error}")),
                        _ => {}
                    }
                    self.wait(event, &model)?;
                }
            }
            if let Some(breach) = self.check(&mut sent, &mut model)? {
                return Ok(Some(breach));
            }
        }
        self.check(&mut sent, &mut model)
    }

    // ---- frames ----

    /// Another CPU than this thread's, if there is one.
    fn other_cpu(&self) -> usize {
        (self.cpu + 1) % online_cpus().unwrap_or(1)
    }

    fn label(&self, sent: &[Sent]) -> Label {
        Label {
            run: self.run,
            number: sent.len() as u32,
        }
    }

    fn send(&self, frame: &Frame, label: Label) -> Result<()> {
        let destination = match frame.destination {
            Destination::Guest(guest) => guest.mac(),
            Destination::Nobody => NOBODY,
            Destination::Broadcast => [0xff; 6],
            Destination::LinkLocal => LINK_LOCAL,
        };
        let (nic, source) = match frame.ingress {
            Ingress::Port(port) => (&self.nics[port.index()], frame.source.mac()),
            Ingress::Bridge => (&self.bridge_nic, BRIDGE_ADDRESS),
        };
        let vlan = frame.tagged.then_some(TAGGED);
        nic.send(source, destination, vlan, label)
            .map_err(because(frame))
    }

    /// Waits until no frame is under way that was sent on this CPU, and compares what has arrived
    /// with what had to.
    fn check(&mut self, sent: &mut Vec<Sent>, model: &mut Model) -> Result<Option<Breach>> {
        let (lost, leaked): (Vec<_>, Vec<_>) = self
            .compare(sent)?
            .into_iter()
            .partition(|breach| !breach.is_leak());
        if let Some(breach) = lost.into_iter().next() {
            return Ok(Some(breach));
        }
        for breach in leaked {
            if let Some(breach) = self.retry(breach, model)? {
                return Ok(Some(breach));
            }
        }
        Ok(None)
    }

    /// A port got a copy that it must not get once all has settled: tries until it has.
    fn retry(&mut self, breach: Breach, model: &mut Model) -> Result<Option<Breach>> {
        let begin = Instant::now();
        while begin.elapsed() < SETTLING {
            let verdict = model.frame(&breach.frame);
            let is_still_expected = matches!(verdict[breach.port.index()], Expectation::MustNot(_));
            self.send(&breach.frame, self.label(&[]))?;
            let mut sent = vec![Sent {
                event: breach.event,
                frame: breach.frame,
                verdict,
            }];
            let breaches = self.compare(&mut sent)?;
            let is_lost = |breach: &&Breach| !breach.is_leak();
            if let Some(lost) = breaches.iter().find(is_lost) {
                return Ok(Some(lost.clone()));
            }
            let leaks = breaches.iter().any(|other| other.port == breach.port);
            if !is_still_expected || !leaks {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(Some(breach))
    }

    /// All frames that were not delivered as they had to be.
    fn compare(&mut self, sent: &mut Vec<Sent>) -> Result<Vec<Breach>> {
        if sent.is_empty() {
            return Ok(Vec::new());
        }
        wait_until_idle(self.cpu)?;
        let mut copies = vec![[0u32; PORTS]; sent.len()];
        for port in Port::all() {
            let nic = &self.nics[port.index()];
            while let Some(label) = nic.receive().map_err(because(port))? {
                if let (true, Some(copies)) =
                    (label.run == self.run, copies.get_mut(label.number as usize))
                {
                    copies[port.index()] += 1;
                }
            }
        }
        // The labels of what is sent from now on are others.
        self.run += 1;
        let mut breaches = Vec::new();
        for (sent, copies) in sent.drain(..).zip(copies) {
            for port in Port::all() {
                let expectation = sent.verdict[port.index()];
                let copies = copies[port.index()];
                let is_kept = match expectation {
                    Expectation::Must(_) => copies == 1,
                    Expectation::May => copies <= 1,
                    Expectation::MustNot(_) => copies == 0,
                };
                if !is_kept {
                    breaches.push(Breach {
                        event: sent.event,
                        frame: sent.frame,
                        port,
                        copies,
                        expectation,
                    });
                }
            }
        }
        Ok(breaches)
    }

    /// Two threads send at the same time, on two CPUs where there are as many.
    fn both(
        &self,
        event: usize,
        first: &[Frame],
        second: &[Frame],
        model: &mut Model,
        sent: &mut Vec<Sent>,
    ) -> Result<()> {
        let (first_verdicts, second_verdicts) = model.both(first, second);
        let all = first.iter().zip(first_verdicts);
        for (&frame, verdict) in all.chain(second.iter().zip(second_verdicts)) {
            sent.push(Sent {
                event,
                frame,
                verdict,
            });
        }
        let start = Barrier::new(2);
        let send_all = |frames: &[Frame], begin: usize| {
            start.wait();
            for (number, frame) in (begin as u32..).zip(frames) {
                let run = self.run;
                self.send(frame, Label { run, number })?;
            }
            Ok(())
        };
        let other_cpu = self.other_cpu();
        thread::scope(|scope| {
            let other = scope.spawn(|| {
                bind_to(other_cpu)?;
                send_all(second, first.len())?;
                wait_until_idle(other_cpu)
            });
            let own = send_all(first, 0);
            let other = other.join().map_err(|_| "the second sender died")?;
            own.and(other)
        })
    }

    /// Unloads the module while guests move to ports that it has just left.
    fn unload_under(&mut self, event: usize, model: &mut Model) -> Result<Option<Breach>> {
        if !model.is_loaded() {
            return Ok(None);
        }
        model.begin_unload();
        // Waiting for readers takes as long as it does elsewhere, so that there is something to
        // see.
        let _ = fs::write(RCU_EXPEDITED, "0");
        let is_over = AtomicBool::new(false);
        let other_cpu = self.other_cpu();

        let result = thread::scope(|scope| {
            let unloading = scope.spawn(|| {
                let result = bind_to(other_cpu).and_then(|()| unload());
                is_over.store(true, Ordering::Release);
                result
            });
            let moved = self.follow_guests(event, &is_over, model);
            unloading.join().map_err(|_| "the unloading died")??;
            moved
        });
        let _ = fs::write(RCU_EXPEDITED, "1");
        model.end_unload();
        result
    }

    fn follow_guests(
        &mut self,
        event: usize,
        is_over: &AtomicBool,
        model: &mut Model,
    ) -> Result<Option<Breach>> {
        let mut gone = Ports::NONE;
        let mut departures = 0;
        while !is_over.load(Ordering::Acquire) {
            let left =
                |&port: &Port| !gone.has(port) && !path(&port.to_string(), "maclearn").exists();
            let Some(port) = self.joined.iter().find(left) else {
                thread::yield_now();
                continue;
            };
            gone = gone.with(port);
            for guest in model.movers(departures, gone, port) {
                let mut sent = Vec::new();
                for (frame, verdict) in model.move_and_answer(guest, port) {
                    self.send(&frame, self.label(&sent))?;
                    sent.push(Sent {
                        event,
                        frame,
                        verdict,
                    });
                }
                if let Some(breach) = self.check(&mut sent, model)? {
                    return Ok(Some(breach));
                }
            }
            departures += 1;
        }
        Ok(None)
    }

    // ---- everything else ----

    /// Makes the network what it is at the beginning of a sequence.
    fn begin(&mut self, sequence: &Sequence, model: &Model) -> Result<()> {
        let setup = &sequence.setup;
        if is_loaded() && !setup.loaded {
            unload()?;
        }
        for port in self.joined.iter() {
            let device = self.ports[port.index()];
            self.netlink.set_master(device, 0).map_err(because(port))?;
        }
        for device in std::mem::take(&mut self.idle_joined) {
            self.netlink
                .set_master(device, 0)
                .map_err(because("idle port"))?;
        }
        if setup.loaded && !is_loaded() {
            load()?;
        }
        let ageing_time = if setup.learns {
            LEARNING_AGEING_TIME
        } else {
            "0"
        };
        set("br", "bridge/ageing_time", ageing_time)?;
        set("br", "bridge/vlan_filtering", "0")?;
        set("br", "bridge/flush", "1")?;
        if setup.loaded {
            set("br", "maclearn/exclusive", "0")?;
        }
        for port in Port::all() {
            let device = self.ports[port.index()];
            self.netlink
                .set_up(device, true)
                .and_then(|()| self.netlink.set_up(self.far_ends[port.index()], true))
                .and_then(|()| self.netlink.set_master(device, self.bridge))
                .and_then(|()| self.netlink.set_member(device, TAGGED, true))
                .map_err(because(port))?;
            if sequence.events.contains(&Event::UnloadUnder) {
                // The module leaves ports in the order in which they joined.
                let each = self.idle.len() / PORTS;
                for &device in &self.idle[port.index() * each..][..each] {
                    self.netlink
                        .set_master(device, self.bridge)
                        .map_err(because("idle port"))?;
                    self.idle_joined.push(device);
                }
            }
        }
        self.joined = Ports::ALL;
        if setup.loaded {
            self.set_offload(setup.offload)?;
            self.enable(setup.enabled)?;
        }
        self.wait_for_states(model)?;
        self.run += 1;
        for nic in &self.nics {
            while nic.receive().map_err(because("before"))?.is_some() {}
        }
        Ok(())
    }

    fn set_offload(&self, on: bool) -> Result<()> {
        set(
            "br",
            "maclearn/fdb_offload",
            if on { "auto" } else { "off" },
        )
    }

    fn enable(&self, ports: Ports) -> Result<()> {
        for number in 0..self.idle_joined.len() as u32 {
            set(&idle_name(number), "maclearn/enabled", "1")?;
        }
        ports
            .and(self.joined)
            .iter()
            .try_for_each(|port| set(&port.to_string(), "maclearn/enabled", "1"))
    }

    fn act(&mut self, event: &Event, joined: &Ports) -> Result<()> {
        let device = |port: Port| self.ports[port.index()];
        let digit = |on: bool| if on { "1" } else { "0" };
        let netlink = &self.netlink;
        let done: nix::Result<()> = match *event {
            Event::Link(port, on) => netlink.set_up(self.far_ends[port.index()], on),
            Event::Admin(port, on) => netlink.set_up(device(port), on),
            Event::State(port, state) => netlink.set_state(device(port), state as u8),
            Event::Member(port, on) => netlink.set_member(device(port), TAGGED, on),
            Event::Replace(guest, port, is_static) => {
                netlink.replace_entry(device(port), guest.mac(), is_static)
            }
            Event::Delete(guest, port) => match netlink.delete_entry(device(port), guest.mac()) {
                Err(Errno::ENOENT) => Ok(()),
                result => result,
            },
            Event::Filtering(on) => return set("br", "bridge/vlan_filtering", digit(on)),
            Event::FlushBridge => return set("br", "bridge/flush", "1"),
            Event::Age => {
                if is_loaded() {
                    set("br", "maclearn/flush", "1")?;
                }
                if get("br", "bridge/ageing_time")? != "0" {
                    set("br", "bridge/flush", "1")?;
                }
                return Ok(());
            }
            Event::Backup(port, backup) => {
                let backup = backup.map_or(String::new(), |backup| backup.to_string());
                return set(&port.to_string(), "brport/backup_port", &(backup + "\n"));
            }
            Event::Set(port, switch, on) => {
                let (name, value) = match switch {
                    Switch::Enabled => ("enabled", digit(on)),
                    Switch::Learning => ("learning", digit(on)),
                    Switch::Suppress => ("unknown_unicast", if on { "suppress" } else { "flood" }),
                    Switch::Closed => ("on_failure", if on { "closed" } else { "open" }),
                };
                return set(&port.to_string(), &format!("maclearn/{name}"), value);
            }
            Event::MaxMacs(port, macs) => {
                return set(&port.to_string(), "maclearn/max_macs", &macs.to_string())
            }
            Event::Exclusive(on) => return set("br", "maclearn/exclusive", digit(on)),
            Event::Offload(on) => return self.set_offload(on),
            Event::Load(enabled) => {
                if !is_loaded() {
                    load()?;
                }
                return self.enable(enabled);
            }
            Event::Unload if is_loaded() => return unload(),
            Event::Join(port) => {
                self.joined = joined.with(port);
                netlink.set_master(device(port), self.bridge)
            }
            Event::Leave(port) => {
                self.joined = joined.without(port);
                netlink.set_master(device(port), 0)
            }
            _ => Ok(()),
        };
        done.map_err(|error| error.to_string())
    }

    /// Waits until what follows of an event by itself has followed.
    fn wait(&self, event: &Event, model: &Model) -> Result<()> {
        match event {
            Event::Link(..) | Event::Admin(..) | Event::Join(_) => self.wait_for_states(model),
            Event::State(..) | Event::Member(..) | Event::Filtering(_) => {
                self.wait_for_states(model)?;
                self.wait_for_forgetting(model)
            }
            Event::Settle if model.is_loaded() => {
                let settled = || {
                    let offloaded: usize = number("br", "maclearn/n_offloaded")?;
                    Ok(offloaded >= model.offloadable() && self.is_filtering(model)?)
                };
                try_for(4 * PATIENCE, settled).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// Gives the module time to forget what it has to.
    fn wait_for_forgetting(&self, model: &Model) -> Result<()> {
        if model.is_loaded() {
            try_for(PATIENCE, || self.has_forgotten(model, |_| true))?;
        }
        Ok(())
    }

    /// Gives it time to forget what ports had learned that have lost their link: what others use
    /// meanwhile may be forgotten with that.
    fn wait_for_lost_links(&self, model: &Model) -> Result<()> {
        let is_lost = |port| !model.bridge().has_carrier(port);
        if model.is_loaded() && self.joined.iter().any(is_lost) {
            try_for(PATIENCE, || self.has_forgotten(model, is_lost))?;
        }
        Ok(())
    }

    /// Whether no port of those that `matches` tells owns more than it may.
    fn has_forgotten(&self, model: &Model, matches: impl Fn(Port) -> bool) -> Result<bool> {
        for port in self.joined.iter().filter(|&port| matches(port)) {
            let macs: usize = number(&port.to_string(), "maclearn/n_macs")?;
            if macs > model.most_macs(port) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether no port fails open that has room.
    fn is_filtering(&self, model: &Model) -> Result<bool> {
        for port in self.joined.iter() {
            let name = port.to_string();
            if model.has_room(port) && get(&name, "maclearn/failing_open")? != "0" {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits until the ports are in the states that the model says. It is wrong if they never are.
    fn wait_for_states(&self, model: &Model) -> Result<()> {
        let bridge = model.bridge();
        let as_expected = || {
            for port in Port::all() {
                let name = port.to_string();
                for device in [&name, &format!("far{}", port.index())] {
                    let is_up = get(device, "operstate")? == "up";
                    if is_up != bridge.has_carrier(port) {
                        return Ok(false);
                    }
                }
                let state = bridge.state(port) as u8;
                if bridge.has_joined(port) && number::<u8>(&name, "brport/state")? != state {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        if !try_for(DEADLINE, as_expected)? {
            let states: Vec<String> = self
                .joined
                .iter()
                .map(|port| {
                    let state = get(&port.to_string(), "brport/state").unwrap_or_default();
                    format!("{port} {state} for {}", bridge.state(port) as u8)
                })
                .collect();
            return Err(format!(
                "the states are not as modelled: {}",
                states.join(", ")
            ));
        }
        // Who noticed it last still has RTNL.
        self.netlink
            .wait_for_rtnl(self.bridge)
            .map_err(because("br"))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if is_loaded() {
            let _ = unload();
        }
        let _ = fs::write(RCU_EXPEDITED, "0");
    }
}

// ---- small things ----

fn try_each<T>(make: impl Fn(Port) -> Result<T>) -> Result<[T; PORTS]> {
    let all: Result<Vec<T>> = Port::all().map(make).collect();
    all?.try_into().map_err(|_| "not as many as ports".into())
}

fn idle_name(number: u32) -> String {
    format!("idle{number}")
}

fn path(device: &str, name: &str) -> PathBuf {
    Path::new("/sys/class/net").join(device).join(name)
}

fn get(device: &str, name: &str) -> Result<String> {
    let path = path(device, name);
    let text = fs::read_to_string(&path).map_err(because(path.display()))?;
    Ok(text.trim().to_owned())
}

fn number<T: std::str::FromStr>(device: &str, name: &str) -> Result<T> {
    let text = get(device, name)?;
    text.parse()
        .map_err(|_| format!("{device} {name} is {text}"))
}

fn set(device: &str, name: &str, value: &str) -> Result<()> {
    let path = path(device, name);
    fs::write(&path, value).map_err(because(path.display()))
}

fn index_of(device: &str) -> Result<u32> {
    number(device, "ifindex")
}

fn is_loaded() -> bool {
    Path::new("/sys/module/maclearn").exists()
}

fn load() -> Result<()> {
    let mut command = match std::env::var_os("MACLEARN_KO") {
        Some(file) => {
            let mut command = Command::new("insmod");
            command.arg(file);
            command
        }
        None => {
            let mut command = Command::new("modprobe");
            command.arg("maclearn");
            command
        }
    };
    let status = command.status().map_err(because("modprobe"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("modprobe: {status}")),
    }
}

fn unload() -> Result<()> {
    let begin = Instant::now();
    loop {
        match unload_module(c"maclearn") {
            // Somebody is just looking at it.
            Err(error) if is_busy(&error) && begin.elapsed() < DEADLINE => {
                sched_yield().map_err(because("sched_yield"))?;
            }
            result => return result.map_err(because("rmmod")),
        }
    }
}

fn is_busy(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY))
}

/// Tries until it holds, or for that long. Whether it holds.
fn try_for(time: Duration, holds: impl Fn() -> Result<bool>) -> Result<bool> {
    let begin = Instant::now();
    loop {
        if holds()? {
            return Ok(true);
        }
        if begin.elapsed() > time {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Binds this thread to a CPU.
fn bind_to(cpu: usize) -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu).map_err(because("CPU set"))?;
    sched_setaffinity(Pid::from_raw(0), &cpus).map_err(because("sched_setaffinity"))
}

/// Waits until no frame is under way on this CPU, to which the thread is bound. A veth device
/// queues frames on the backlog of the CPU that sends them, and so does the bridge what it makes of
/// them.
fn wait_until_idle(cpu: usize) -> Result<()> {
    let is_idle = || {
        let text = fs::read_to_string("/proc/net/softnet_stat").map_err(because("softnet_stat"))?;
        Ok(!text
            .lines()
            .filter_map(queued)
            .any(|(of, queued)| of == cpu && queued > 0))
    };
    match try_for(DEADLINE, is_idle)? {
        true => Ok(()),
        false => Err("frames stay under way".into()),
    }
}

/// Of a line of `/proc/net/softnet_stat`: the CPU, and how many frames wait there.
fn queued(line: &str) -> Option<(usize, u64)> {
    let fields: std::result::Result<Vec<u64>, _> = line
        .split_whitespace()
        .map(|field| u64::from_str_radix(field, 16))
        .collect();
    match fields.ok()?.as_slice() {
        [.., cpu, input, process] => Some((*cpu as usize, input + process)),
        _ => None,
    }
}

fn online_cpus() -> Option<usize> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    let last = text.trim().rsplit(['-', ',']).next()?;
    last.parse::<usize>().ok().map(|last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_is_under_way() {
        let line = "00000018 00000002 00000000 00000000 00000000 00000000 00000000 00000000 \
                    00000000 00000000 00000000 00000000 00000001 0000000a 00000001";
        assert_eq!(queued(line), Some((1, 11)));
    }
}
