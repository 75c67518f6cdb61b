// SPDX-License-Identifier: GPL-2.0

//! `maclearn top`: what ports do, again and again, on a terminal.

mod model;

use std::{
    env,
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use clap::ArgMatches;
use maclearn_family::{PortAttributes, StatisticsAttributes, operation};
use ratatui::{
    DefaultTerminal, Frame,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    style::{Color, Style, Stylize},
    text::Line,
};

use super::Context;
use crate::{devices::Names, failure::Failure};

use model::{KEYS, Key, Model, Wish};

/// Lines that are no ports: the title, the head of the table, the help.
const OTHER_LINES: u16 = 3;

const HELP: &str =
    "q quit  space pause  r reverse  arrows scroll  sort p b m s(uppr) y(bytes) o u f";

/// Milliseconds from one look to the next at least.
const LEAST_DELAY: u32 = 100;

/// The words for what ports can be sorted by.
pub fn sort_words() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(_, name, _)| *name)
}

/// Shows it until it is ended.
pub fn show(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "Error: top is for a terminal, try \"maclearn statistics\".",
        ));
    }
    if env::var_os("TERM").is_some_and(|kind| kind == "dumb") {
        return Err(Failure::usage(
            "Error: top needs a terminal that is not \"dumb\", try \"maclearn statistics\".",
        ));
    }
    let word = matches.get_one::<String>("sort");
    let key = KEYS
        .iter()
        .find(|(_, name, _)| word.is_some_and(|word| word == name));
    let key = key.map_or(Key::Rate(0), |(key, ..)| *key);
    let delay = matches.get_one::<u32>("delay").copied().unwrap_or(1000);
    let delay = delay.max(LEAST_DELAY);
    // From here on a panic puts the terminal back as well.
    let mut terminal = ratatui::try_init()?;
    let shown = run(
        context,
        &mut terminal,
        Model::new(key),
        Duration::from_millis(delay.into()),
    );
    ratatui::try_restore()?;
    shown
}

fn run(
    context: &mut Context,
    terminal: &mut DefaultTerminal,
    mut model: Model,
    delay: Duration,
) -> Result<(), Failure> {
    let begin = Instant::now();
    let mut due = begin;
    loop {
        if Instant::now() >= due && !model.is_paused() {
            update(context, &mut model, begin)?;
            due = Instant::now() + delay;
        }
        terminal.draw(|frame| draw(frame, &model))?;
        let height = rows_in(terminal.size()?.height);
        let wait = match model.is_paused() {
            true => delay,
            false => due.saturating_duration_since(Instant::now()),
        };
        if !event::poll(wait)? {
            continue;
        }
        // Other events, such as a new size, have it drawn anew.
        if let Event::Key(press) = event::read()? {
            if is_end(press) {
                return Ok(());
            }
            if let Some(wish) = wish(press, height) {
                model.heed(wish, height);
            }
        }
    }
}

fn update(context: &mut Context, model: &mut Model, begin: Instant) -> Result<(), Failure> {
    let client = &mut context.client;
    let counted = client.list(&operation::STATS_GET, &StatisticsAttributes::default())?;
    let now = begin.elapsed();
    let ports = client.list(&operation::PORT_GET, &PortAttributes::default())?;
    model.update(now, &ports, &counted, &Names::all()?);
    Ok(())
}

fn is_end(press: KeyEvent) -> bool {
    let is_interrupt =
        press.modifiers.contains(KeyModifiers::CONTROL) && press.code == KeyCode::Char('c');
    is_interrupt || matches!(press.code, KeyCode::Char('q') | KeyCode::Esc)
}

fn wish(press: KeyEvent, height: usize) -> Option<Wish> {
    if press.kind == KeyEventKind::Release {
        return None;
    }
    let page = isize::try_from(height).unwrap_or(isize::MAX);
    Some(match press.code {
        KeyCode::Char(' ') => Wish::Pause,
        KeyCode::Char('r') => Wish::Reverse,
        KeyCode::Char(letter) => {
            let key = KEYS.iter().find(|(.., pressed)| *pressed == letter);
            Wish::Sort(key.map(|(key, ..)| *key)?)
        }
        KeyCode::Down => Wish::Scroll(1),
        KeyCode::Up => Wish::Scroll(-1),
        KeyCode::PageDown => Wish::Scroll(page),
        KeyCode::PageUp => Wish::Scroll(-page),
        KeyCode::Home => Wish::First,
        KeyCode::End => Wish::Last,
        _ => return None,
    })
}

/// Rows that fit on a terminal with so many lines.
fn rows_in(lines: u16) -> usize {
    lines.saturating_sub(OTHER_LINES).into()
}

fn draw(frame: &mut Frame<'_>, model: &Model) {
    let area = frame.area();
    let mut lines = vec![
        Line::from(model.title()).bold(),
        Line::from(model::head()).reversed(),
    ];
    lines.extend(model.in_sight(rows_in(area.height)).iter().map(|row| {
        let style = match (row.is_failing, row.is_enabled) {
            (true, _) => Style::new().fg(Color::Red).bold(),
            (false, true) => Style::new(),
            (false, false) => Style::new().dim(),
        };
        Line::styled(row.line(), style)
    }));
    for (line, row) in lines.iter().zip(area.rows()) {
        frame.render_widget(line, row);
    }
    if let Some(last) = area.rows().last().filter(|_| area.height > OTHER_LINES) {
        frame.render_widget(Line::from(HELP).dim(), last);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;

    fn text(model: &Model, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, model)).unwrap();
        let buffer = terminal.backend().buffer();
        let cells = buffer.content().chunks(width.into());
        cells
            .map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>())
            .map(|row| row.trim_end().to_string())
            .collect()
    }

    #[test]
    fn draws_what_is_in_sight_on_any_terminal() {
        let mut model = Model::new(Key::Port);
        let ports: Vec<_> = (100..200)
            .map(|index| PortAttributes {
                ifindex: Some(index),
                bridge: Some(1),
                enabled: Some(true),
                ..Default::default()
            })
            .collect();
        model.update(Duration::ZERO, &ports, &[], &Names::default());
        let lines = text(&model, 80, 24);
        assert_eq!(lines[0], "maclearn: 100 ports, by port");
        assert_eq!(lines[1], model::head());
        assert!(lines[2].starts_with("if100           if1"), "{}", lines[2]);
        assert!(lines[22].starts_with("if120 "), "{}", lines[22]);
        assert_eq!(lines[23], HELP);
        for (width, height) in [(1, 1), (1, 2), (20, 3), (300, 100)] {
            assert_eq!(text(&model, width, height).len(), usize::from(height));
        }
    }

    #[test]
    fn keys_are_wishes() {
        let press = |code| KeyEvent::new(code, KeyModifiers::NONE);
        let wish = |code| wish(press(code), 20);
        assert_eq!(wish(KeyCode::Char('u')), Some(Wish::Sort(Key::Rate(3))));
        assert_eq!(wish(KeyCode::PageUp), Some(Wish::Scroll(-20)));
        assert_eq!(wish(KeyCode::Char('z')), None);
        assert!(is_end(press(KeyCode::Esc)) && !is_end(press(KeyCode::Char('c'))));
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert!(is_end(interrupt));
    }
}
