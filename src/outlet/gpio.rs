//! `driver = "gpio"`: relays on GPIO lines, through the kernel's character device.
//!
//! A line is taken when it is first switched or looked at, as it is, and then held: nobody else can
//! switch it meanwhile. When the process ends it is let go, and most chips leave the line as it was; the
//! next process takes it as it finds it. So a restart switches nothing.

use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use gpiocdev::Request;
use gpiocdev::chip::Chip;
use gpiocdev::line::{Direction, Offset, Value};

use super::way::Way;
use super::{Answer, Outlet, OutletError, Switch};
use crate::config::power::Gpio;
use crate::model::State;

/// How the line's holder is called, as `gpioinfo` shows it.
const CONSUMER: &str = "lava-power";

/// One line.
pub(super) struct GpioOutlet {
    gpio: Gpio,
    line: String,
    held: Mutex<Option<Held>>,
}

/// A line that is ours.
struct Held {
    request: Request,
    offset: Offset,
    /// Whether we have switched it; before that it may be an input.
    driven: bool,
}

impl GpioOutlet {
    pub(super) fn new(gpio: &Gpio, port: &str) -> Self {
        Self { gpio: gpio.clone(), line: port.to_owned(), held: Mutex::default() }
    }

    /// Does something with the line, which is taken first if it is not ours yet. What goes wrong with it
    /// lets it go: its chip may have been unplugged.
    fn with_line<T>(
        &self,
        mut way: Way,
        act: impl FnOnce(&mut Held) -> Result<T, gpiocdev::Error>,
    ) -> Result<T, OutletError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = match held.take() {
            Some(line) => line,
            None => self.take(&way)?,
        };
        way.sending();
        let done = act(&mut line).map_err(|error| way.unclear(self.cannot(&error)))?;
        *held = Some(line);
        Ok(done)
    }

    fn take(&self, way: &Way) -> Result<Held, OutletError> {
        let unreachable = |error: gpiocdev::Error| way.unreachable(self.cannot(&error));
        let chip = Chip::from_path(&self.gpio.chip).map_err(unreachable)?;
        let offset = match self.line.parse::<Offset>() {
            Ok(offset) => offset,
            Err(_) => chip.find_line_info(&self.line).map(|line| line.offset).ok_or_else(|| {
                way.refused(format!("{} has no line {:?}", self.gpio.chip.display(), self.line))
            })?,
        };
        let info = chip.line_info(offset).map_err(|error| way.refused(self.cannot(&error)))?;
        if info.used {
            return Err(way.unreachable(format!(
                "line {} of {} is in use by {:?}",
                self.line,
                self.gpio.chip.display(),
                info.consumer
            )));
        }
        let mut builder = Request::builder();
        builder.on_chip(&self.gpio.chip).with_consumer(CONSUMER).with_line(offset).as_is();
        if self.gpio.active_low {
            builder.as_active_low();
        }
        let request = builder.request().map_err(unreachable)?;
        Ok(Held { request, offset, driven: info.direction == Direction::Output })
    }

    fn cannot(&self, error: &gpiocdev::Error) -> String {
        let why = crate::model::failure::chain(error);
        format!("line {} of {}: {why}", self.line, self.gpio.chip.display())
    }

    fn set(&self, to: Switch) -> Result<(), OutletError> {
        let value = if to == Switch::On { Value::Active } else { Value::Inactive };
        self.with_line(Way::switches(), |line| {
            if line.driven {
                return line.request.set_value(line.offset, value);
            }
            let mut config = line.request.config();
            config.with_line(line.offset).as_output(value);
            line.request.reconfigure(&config)?;
            line.driven = true;
            Ok(())
        })
    }

    fn get(&self) -> Result<State, OutletError> {
        self.with_line(Way::reads(), |line| match line.request.value(line.offset)? {
            // What is at an input is nobody's doing.
            _ if !line.driven => Ok(State::Unknown),
            Value::Active => Ok(State::On),
            Value::Inactive => Ok(State::Off),
        })
    }
}

impl Outlet for GpioOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        async move { self.set(to) }.boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        Some(async move { self.get() }.boxed())
    }
}

impl std::fmt::Debug for GpioOutlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GpioOutlet").field("gpio", &self.gpio).field("line", &self.line).finish()
    }
}
