"""NI-DAQmx's error codes with its own words, so that a message on the virtual bench reads as on a real one.

The texts are NI's first sentences, from its public knowledge base and issue reports where one was found, the
others from memory (?). Codes and names are those of `nidaqmx.error_codes`.
"""

from __future__ import annotations

from nidaqmx.error_codes import DAQmxErrors as Code
from nidaqmx.errors import DaqError, DaqReadError, DaqWriteError

TEXT: dict[int, str] = {
    Code.PHYSICAL_CHAN_DOES_NOT_EXIST: "Physical channel specified does not exist on this device.\n"
    "Refer to the documentation for channels available on this device.",
    Code.INVALID_DEVICE_ID: "Device identifier is invalid.",
    Code.DEV_CANNOT_BE_ACCESSED: "Device cannot be accessed.\n"
    "It may have been disconnected or may have lost its power.",
    Code.INVALID_AO_DATA_WRITE: "Attempted writing analog output data that is less than the minimum or "
    "greater than the maximum value of the channel.",
    Code.INVALID_ATTRIBUTE_VALUE: "Requested value is not a supported value for this property. The property "
    "value may be invalid because it conflicts with another property.",
    Code.INVALID_TASK: "Task specified is invalid or does not exist.",
    Code.DUPLICATE_TASK: "Task name conflicts with an existing task name.",
    Code.SAMPLES_NOT_YET_AVAILABLE: "Some or all of the samples requested have not yet been acquired.\n"
    "To wait for the samples to become available use a longer read timeout or read later in your program. "
    "If your task uses a start trigger, make sure that your start trigger is configured correctly. It is "
    "also possible that you configured the task for external timing, and no clock was supplied.",
    Code.SAMPLES_WILL_NEVER_BE_AVAILABLE: "Attempted to read a sample beyond the final sample acquired. The "
    "acquisition has stopped, therefore the sample specified by the combination of position and offset will "
    "never be available.",
    Code.SAMPLES_NO_LONGER_AVAILABLE: "The application is not able to keep up with the hardware "
    "acquisition.\nIncreasing the buffer size or reading the data more frequently might correct the problem.",
    Code.PAL_RESOURCE_RESERVED: "The specified resource is reserved. The operation could not be completed "
    "as specified.",
    Code.CAN_NOT_PERFORM_OP_WHEN_NO_CHANS_IN_TASK: "Specified operation cannot be performed when there are "
    "no channels in the task.",
    Code.CAN_NOT_PERFORM_OP_WHILE_TASK_RUNNING: "Specified operation cannot be performed while the task is "
    "running.",
    Code.CHAN_ALREADY_IN_TASK: "Specified channel cannot be added to the task, because a channel with the "
    "same name is already in the task.",
    Code.MULTI_CHAN_TYPES_IN_TASK: "Specified channel cannot be added to the task, because the task "
    "already has channels of another type.",
    Code.WAIT_UNTIL_DONE_DOES_NOT_INDICATE_DONE: "Wait Until Done did not indicate that the task was done "
    "within the specified timeout.",
    Code.WRITE_NO_OUTPUT_CHANS_IN_TASK: "Write failed, because there are no output channels in this task to "
    "which data can be written.",
    Code.READ_NO_INPUT_CHANS_IN_TASK: "Read failed, because there are no channels in this task from which "
    "data can be read.",
    Code.OUTPUT_BUFFER_EMPTY: "Generation cannot be started, because the selected buffer is empty.",
    Code.SAMPLES_CAN_NOT_YET_BE_WRITTEN: "Some or all of the samples to write could not be written to the "
    "buffer yet. More space will free up as samples currently in the buffer are generated.",
    Code.CANNOT_WRITE_NOT_STARTED_AUTO_START_FALSE_NOT_ON_DEMAND_BUF_SIZE_ZERO: "Write cannot be performed "
    "when the auto start input to DAQmx Write is false, task is not running, and timing for the task is not "
    "configured or Timing Type is set to On Demand.",
    Code.SAMP_RATE_TOO_HIGH: "Sample rate exceeds the maximum sample rate for the number of channels "
    "specified.",
    Code.SAMPLE_RATE_NUM_CHANS_CONVERT_PERIOD_COMBO: "Combination of sample clock rate, number of channels, "
    "delay from sample clock and convert rate cannot be supported: the last channel would be converted after "
    "the next sample clock.",
    Code.ATTRIBUTE_NOT_SUPPORTED_IN_TASK_CONTEXT: "Specified property is not supported by the device or is "
    "not applicable to the task.",
    Code.TRIG_LINE_NOT_FOUND_ROUTING: "No registered trigger lines could be found between the devices in the "
    "route.",
    Code.INVALID_ROUTING_SOURCE_TERMINAL_NAME_ROUTING: "Source terminal to be routed could not be found on "
    "the device.",
    Code.READ_BUFFER_TOO_SMALL: "Buffer is too small to fit read data.",
    Code.GEN_STOPPED_TO_PREVENT_REGEN_OF_OLD_SAMPLES: "The generation has stopped to prevent the regeneration of "
    "old samples. Your application was unable to write samples to the background buffer fast enough to prevent "
    "old samples from being regenerated.",
    Code.RUNTIME_ABORTED_ROUTING: "Operation was aborted, because the device was reset or removed, or the "
    "computer went to sleep.",
    Code.OPERATION_TIMED_OUT: "Specified operation did not complete, because the specified timeout expired.",
}


def text(code: int) -> str:
    """Return NI's description of `code`, as ``DAQmxGetErrorString`` does."""
    return TEXT.get(code, "Description could not be found for the status code.")


def _message(code: int, details: dict[str, object]) -> str:
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in details.items()]
    return "\n\n".join([text(code), "\n".join(lines)] if lines else [text(code)])


def refusal(code: int, task: str = "", **details: object) -> DaqError:
    """Return the error that NI-DAQmx would raise; `details` become its ``Name: value`` lines."""
    return DaqError(_message(code, details), code, task_name=task)


def read_refusal(code: int, task: str, samples: int = 0, **details: object) -> DaqReadError:
    """Return the error of a read that got only `samples` samples per channel."""
    return DaqReadError(_message(code, details), code, samples, task_name=task)


def write_refusal(code: int, task: str, samples: int = 0, **details: object) -> DaqWriteError:
    """Return the error of a write that took only `samples` samples per channel."""
    return DaqWriteError(_message(code, details), code, samples, task_name=task)
