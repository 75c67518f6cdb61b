// SPDX-License-Identifier: GPL-2.0

//! The language of `frames exchange`: one order a line, empty lines and `#` comments ignored.
//! `frames exchange --help` describes it.

use crate::{
    frame::{Flow, Tags, MIN_SIZE},
    mac::{Mac, MacRange},
};

#[derive(Debug, PartialEq)]
pub enum Order {
    Port {
        name: String,
        interface: String,
    },
    Hello {
        port: String,
        traffic: Traffic,
    },
    Send {
        port: String,
        traffic: Traffic,
        size: usize,
    },
    Stream {
        port: String,
        traffic: Traffic,
        to: Vec<String>,
    },
    Expect {
        port: String,
        traffic: Traffic,
    },
    Allow {
        port: String,
        traffic: Traffic,
    },
    Ignore {
        port: String,
    },
    Repeat {
        port: String,
    },
}

/// `count` frames for each pair of a source and a destination, the shorter range starting over.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    pub src: MacRange,
    pub dst: MacRange,
    pub tags: Tags,
    pub count: u64,
}

impl Traffic {
    fn pairs(&self) -> u64 {
        self.src.len().max(self.dst.len())
    }

    pub fn frames(&self) -> u64 {
        self.pairs() * self.count
    }

    /// The flow of the frame with number `seq`.
    pub fn flow(&self, seq: u64) -> Flow {
        Flow {
            src: self.src.get(seq % self.pairs()),
            dst: self.dst.get(seq % self.pairs()),
            tags: self.tags.clone(),
        }
    }

    pub fn flows(&self) -> impl Iterator<Item = Flow> + '_ {
        (0..self.pairs()).map(|i| self.flow(i))
    }
}

pub fn parse(text: &str) -> Result<Vec<Order>, String> {
    let mut orders = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut words = Words(line.split('#').next().unwrap_or("").split_whitespace());
        let Some(verb) = words.0.next() else { continue };
        let order = parse_order(verb, &mut words);
        orders.push(order.map_err(|error| format!("line {}, '{line}': {error}", number + 1))?);
    }
    Ok(orders)
}

fn parse_order(verb: &str, words: &mut Words) -> Result<Order, String> {
    let port = words.word()?;
    let order = match verb {
        "port" => Order::Port {
            name: port,
            interface: words.word()?,
        },
        "ignore" => Order::Ignore { port },
        "repeat" => Order::Repeat { port },
        "hello" => {
            let (src, dst) = (words.parse()?, Mac::BROADCAST.into());
            let options = words.options(&["vlan"])?;
            Order::Hello {
                port,
                traffic: Traffic {
                    src,
                    dst,
                    tags: options.tags,
                    count: 1,
                },
            }
        }
        "send" | "expect" | "allow" | "stream" => {
            let (src, dst) = (words.parse()?, words.parse()?);
            let options = words.options(match verb {
                "send" => &["vlan", "count", "size"],
                "expect" => &["vlan", "count"],
                "allow" => &["vlan"],
                _ => &["vlan", "to"],
            })?;
            let traffic = Traffic {
                src,
                dst,
                tags: options.tags,
                count: options.count,
            };
            match verb {
                "send" => Order::Send {
                    port,
                    traffic,
                    size: options.size,
                },
                "expect" => Order::Expect { port, traffic },
                "allow" => Order::Allow { port, traffic },
                _ => Order::Stream {
                    port,
                    traffic,
                    to: options.to,
                },
            }
        }
        _ => return Err(format!("there is no order '{verb}'")),
    };
    match words.0.next() {
        None => Ok(order),
        Some(word) => Err(format!("'{word}' is too much")),
    }
}

struct Words<'a>(std::str::SplitWhitespace<'a>);

struct Options {
    tags: Tags,
    count: u64,
    size: usize,
    to: Vec<String>,
}

impl Words<'_> {
    fn word(&mut self) -> Result<String, String> {
        self.0
            .next()
            .map(String::from)
            .ok_or_else(|| "something is missing".into())
    }

    fn parse<T: std::str::FromStr<Err = String>>(&mut self) -> Result<T, String> {
        self.word()?.parse()
    }

    fn number(&mut self) -> Result<u64, String> {
        let word = self.word()?;
        word.parse()
            .map_err(|_| format!("'{word}' is not a number"))
    }

    fn options(&mut self, known: &[&str]) -> Result<Options, String> {
        let mut options = Options {
            tags: Tags::default(),
            count: 1,
            size: MIN_SIZE,
            to: Vec::new(),
        };
        while let Some(option) = self.0.next() {
            if !known.contains(&option) {
                return Err(format!("there is no '{option}' here"));
            }
            match option {
                "vlan" => options.tags = self.parse()?,
                "count" => options.count = self.number()?,
                "size" => options.size = self.number()? as usize,
                _ => options.to = self.word()?.split(',').map(String::from).collect(),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "02:00:00:00:01:01";

    #[test]
    fn orders_are_understood() {
        let plan = format!("port a hosts:a\n\n# talk\nsend a {A} {A}+3 count 2 vlan 20.10 # now\n");
        let orders = parse(&plan).unwrap();
        let traffic = Traffic {
            src: A.parse().unwrap(),
            dst: format!("{A}+3").parse().unwrap(),
            tags: Tags(vec![20, 10]),
            count: 2,
        };
        assert_eq!(traffic.frames(), 6);
        assert_eq!(traffic.flow(4), traffic.flow(1));
        assert_eq!(
            orders,
            [
                Order::Port {
                    name: "a".into(),
                    interface: "hosts:a".into()
                },
                Order::Send {
                    port: "a".into(),
                    traffic,
                    size: MIN_SIZE
                },
            ]
        );
    }

    #[test]
    fn mistakes_are_told() {
        for bad in [
            "send a",
            "sent a M M",
            "port a",
            "expect a M M size 60",
            "ignore a b",
            "send a M M vlan 4096",
        ] {
            let error = parse(&bad.replace('M', A)).unwrap_err();
            assert!(error.starts_with("line 1"), "{error}");
        }
    }
}
