//! What a run of `plugin test` found, and its text.

use std::fmt;
use std::time::Duration;

use acme_manager_plugin_runtime::{CallReport, Limits};

use super::is_call;
use crate::component::Bench;
use crate::quantity::{bytes, count, round_up, time};
use crate::table::Table;
use crate::text::plain;

/// How far suggested limits are above the highest that was seen.
const HEADROOM: u32 = 4;
/// No less than this is suggested: a larger account makes larger answers.
const LEAST_MEMORY_MB: u64 = 8;

/// The result of all scenarios.
#[derive(Debug)]
pub struct Verdict {
    /// The component's own name and version.
    pub component: String,
    /// One for each scenario, in the order of the run.
    pub rows: Vec<Row>,
    notes: Vec<String>,
}

/// One scenario.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its name.
    pub scenario: String,
    /// Nothing or a remark, or what is wrong.
    pub result: Result<Option<String>, String>,
    /// The most fuel of one call.
    pub fuel: u64,
    /// The most memory of one call.
    pub peak_memory_bytes: u64,
    /// The longest call.
    pub wall: Duration,
    /// The most requests of one call.
    pub requests: u32,
    /// Whether it provokes costs that a usual call does not have.
    extreme: bool,
}

impl Verdict {
    pub(super) fn new(bench: &Bench) -> Self {
        let said = bench.about();
        let component = format!("{} {}", said.name, plain(said.version));
        Self { component, rows: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn add(&mut self, scenario: &str, result: Result<Option<String>, String>, reports: Vec<CallReport>) {
        let mut row = Row {
            scenario: plain(scenario),
            result,
            fuel: 0,
            peak_memory_bytes: 0,
            wall: Duration::ZERO,
            requests: 0,
            extreme: false,
        };
        for report in reports.iter().filter(|report| is_call(report.function)) {
            row.fuel = row.fuel.max(report.fuel);
            row.peak_memory_bytes = row.peak_memory_bytes.max(report.peak_memory_bytes as u64);
            row.wall = row.wall.max(report.wall);
            row.requests = row.requests.max(report.requests);
        }
        self.rows.push(row);
    }

    pub(super) fn add_extreme(
        &mut self,
        scenario: &str,
        result: Result<Option<String>, String>,
        reports: Vec<CallReport>,
    ) {
        self.add(scenario, result, reports);
        if let Some(row) = self.rows.last_mut() {
            row.extreme = true;
        }
    }

    pub(super) fn note(&mut self, note: &str) {
        self.notes.push(note.to_owned());
    }

    /// How many scenarios failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.rows.iter().filter(|row| row.result.is_err()).count()
    }

    /// Lines for the plugin's entry in the configuration.
    fn suggestions(&self) -> Table<3> {
        let most = |of: fn(&Row) -> u64, extreme: bool| {
            self.rows.iter().filter(|row| row.extreme == extreme).map(of).max().unwrap_or_default()
        };
        let fuel = most(|row| row.fuel, false);
        let fuel_wanted = (fuel * u64::from(HEADROOM)).max(most(|row| row.fuel, true));
        let memory = most(|row| row.peak_memory_bytes, false);
        let memory_wanted = (memory * u64::from(HEADROOM)).max(most(|row| row.peak_memory_bytes, true));
        let megabytes = memory_wanted.div_ceil(1 << 20).next_power_of_two().max(LEAST_MEMORY_MB);
        let wall = self.rows.iter().filter(|row| !row.extreme).map(|row| row.wall).max().unwrap_or_default();
        let seconds = Limits::default().timeout.max(wall * HEADROOM).as_secs();
        let mut table = Table::new([""; 3], 3);
        let mut line = |key: &str, value: u64, why: String| table.add([format!("{key}:"), value.to_string(), why]);
        line("fuel", round_up(fuel_wanted), format!("# a usual call took {}", count(fuel)));
        line("memory_mb", megabytes, format!("# a usual call took {}", bytes(memory)));
        line("timeout", seconds, format!("# a usual call took {}, its vendor's time apart", time(wall)));
        table
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}\n", self.component)?;
        let mut table = Table::new(["SCENARIO", "RESULT", "FUEL", "MEMORY", "WALL", "REQUESTS"], 2);
        for row in &self.rows {
            let result = if row.result.is_ok() { "ok" } else { "failed" };
            let costs = match row.fuel {
                0 => ["-"; 4].map(str::to_owned),
                fuel => [count(fuel), bytes(row.peak_memory_bytes), time(row.wall), row.requests.to_string()],
            };
            let [fuel, memory, wall, requests] = costs;
            table.add([row.scenario.clone(), result.to_owned(), fuel, memory, wall, requests]);
        }
        writeln!(formatter, "{table}")?;
        for row in &self.rows {
            match &row.result {
                Ok(None) => {}
                Ok(Some(remark)) => writeln!(formatter, "{}: {remark}", row.scenario)?,
                Err(problem) => writeln!(formatter, "FAILED {}: {problem}", row.scenario)?,
            }
        }
        for note in &self.notes {
            writeln!(formatter, "note: {note}")?;
        }
        if self.failed() == 0 {
            writeln!(formatter, "\nLimits with room to spare, for the plugin's entry in the configuration:\n")?;
            for line in self.suggestions().to_string().lines().skip(1) {
                writeln!(formatter, "  {line}")?;
            }
        }
        Ok(())
    }
}
