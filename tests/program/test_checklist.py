"""What a good command-line program does, row by row, each with the tests that check it."""

from __future__ import annotations

import re

import pytest

from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, ROOT, World

TESTS = {
    name
    for path in ROOT.glob("tests/**/test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
}

#: The requirements, and the tests that check each.
ROWS: dict[str, tuple[str, ...]] = {
    "stdout is the answer": (
        "test_content_is_printed_verbatim_and_ends_with_one_newline",
        "test_json_is_the_whole_response_in_one_line",
    ),
    "notes, retries, usage and progress are on stderr": (
        "test_usage_is_requested_only_if_it_is_shown",
        "test_a_temporary_failure_is_retried",
        "test_a_spinner_turns_on_a_terminal_and_leaves_nothing_behind",
    ),
    "0 is success; every other status is documented and reachable": (
        "test_every_status_is_reached",
        "test_topics_end_with_the_programs_own_tables",
    ),
    "a usage error exits 2 and names the flag": ("test_usage_errors_are_one_line_that_names_what_is_wrong",),
    "an error is one line with the program's name, without a traceback": (
        "test_usage_errors_are_one_line_that_names_what_is_wrong",
        "test_an_internal_error_is_70_and_says_how_to_see_more",
        "test_a_broken_installation_is_70_and_not_1",
    ),
    "-h and --help work after every command, on stdout, with status 0": (
        "test_short_help_fits_a_small_screen",
        "test_full_help_shows_every_flag_and_fits_the_terminal",
    ),
    "without arguments, short help goes to stderr, with status 2": ("test_no_command_is_short_help_on_stderr",),
    "help has examples and says where to report a problem": (
        "test_full_help_shows_every_flag_and_fits_the_terminal",
        "test_every_command_of_readme_help_and_man_page_runs",
    ),
    "--version prints the name and a number": ("test_version_goes_to_stdout",),
    "a short flag has a long form": ("test_the_help_of_a_flag_is_a_short_sentence",),
    "-- ends the flags, and values may be joined to them": (
        "test_short_and_joined_forms_work",
        "test_two_dashes_end_the_flags",
    ),
    "flags stand anywhere among the operands": ("test_flags_may_precede_separate_or_follow_operands",),
    "- is stdin": (
        "test_prompt_and_stdin_make_one_message",
        "test_a_dash_reads_the_terminal_and_says_so",
        "test_a_body_is_sent_byte_for_byte",
    ),
    "prompt, files and stdin come together in one order": (
        "test_prompt_and_stdin_make_one_message",
        "test_files_come_between_prompt_and_stdin",
    ),
    "waiting for a terminal is announced": (
        "test_a_dash_reads_the_terminal_and_says_so",
        "test_a_terminal_is_not_waited_for",
        "test_nothing_to_ask_on_a_terminal_is_reported_at_once",
    ),
    "no prompts if stdin is not a terminal": ("test_there_is_no_key_prompt_if_stdin_is_not_a_terminal",),
    "NO_COLOR, TERM=dumb and --no-color": (
        "test_color_is_for_a_terminal_that_takes_it",
        "test_quiet_and_no_color_apply_to_earlier_notes_too",
    ),
    "stdout and stderr each decide for themselves": (
        "test_stdout_on_a_terminal_is_escaped_while_a_pipe_is_not",
        "test_color_is_for_a_terminal_that_takes_it",
    ),
    "a spinner shows only on a terminal": ("test_a_spinner_turns_on_a_terminal_and_leaves_nothing_behind",),
    "tokens appear as they arrive": (
        "test_tokens_are_printed_as_they_arrive",
        "test_slow_tokens_of_a_stream_are_passed_on_at_once",
    ),
    "one newline ends the output": ("test_content_is_printed_verbatim_and_ends_with_one_newline",),
    "--json prints JSON with no error mixed in": (
        "test_json_is_the_whole_response_in_one_line",
        "test_json_of_a_failure_prints_nothing_on_stdout",
        "test_every_command_of_readme_help_and_man_page_runs",
    ),
    "-q silences notes, never errors": ("test_quiet_silences_notes_but_not_errors",),
    "flag, environment, .env, user file, default, in this order": (
        "test_flag_then_environment_then_both_files_then_default",
    ),
    "the XDG folders are used": (
        "test_xdg_config_home_is_used_if_it_is_absolute",
        "test_the_xdg_folders_are_used_if_they_are_absolute",
        "test_the_list_is_kept_for_completions",
    ),
    "files are private or follow the umask, and are whole after kill -9": (
        "test_kill_9_leaves_the_old_file",
        "test_a_private_file_stays_private_whatever_part_was_left",
        "test_the_stored_key_is_readable_only_by_the_user",
        "test_a_session_is_private_and_has_one_message_per_line",
        "test_a_kill_at_any_moment_leaves_a_session_with_every_completed_turn",
    ),
    "the key is in no argument, log, error or file": (
        "test_the_key_is_nowhere_but_in_the_header",
        "test_the_key_is_in_no_output_of_any_command",
    ),
    "the key comes from a file, a command or stdin": (
        "test_the_first_source_that_holds_a_key_wins",
        "test_any_key_that_a_header_carries_comes_back",
    ),
    "proxies are used, and netrc never replaces the key": (
        "test_other_hosts_use_a_proxy",
        "test_loopback_never_uses_a_proxy",
        "test_netrc_neither_replaces_nor_adds_a_key",
    ),
    "Ctrl-C is silent, 130, and stops a loop": (
        "test_a_signal_ends_the_call_by_itself_and_silently",
        "test_ctrl_c_stops_a_bash_loop",
    ),
    "a reader that leaves is 141, silently": ("test_a_closed_pipe_is_141_and_silent",),
    "a full disk is one line and 74": (
        "test_a_full_disk_is_reported",
        "test_an_output_that_cannot_be_written_is_74",
    ),
    "timeouts have defaults and flags, and Retry-After is honored": (
        "test_the_whole_call_has_a_limit_of_its_own",
        "test_silence_before_the_answer_is_8_and_never_retried",
        "test_retry_after_is_waited_for_in_seconds_and_as_a_date",
    ),
    "UTF-8 in any locale, and other bytes are reported": (
        "test_utf8_passes_in_any_locale",
        "test_bytes_that_are_not_utf8_are_named_and_refused",
    ),
    "man page, completions, installation": (
        "test_the_man_page_lints",
        "test_every_flag_of_every_command_is_offered_under_all_its_names",
        "test_a_staged_installation_runs_and_uninstalls_completely",
    ),
    "a misspelled command or flag gets a suggestion": ("test_usage_errors_are_one_line_that_names_what_is_wrong",),
    "whatever takes long says what it is waiting for": (
        "test_a_silent_stdin_is_named_after_two_seconds",
        "test_a_spinner_turns_on_a_terminal_and_leaves_nothing_behind",
    ),
    "the user's own files keep what the user wrote": ("test_the_rest_of_the_file_stays",),
}


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_its_tests(row: str) -> None:
    assert ROWS[row]
    for test in ROWS[row]:
        assert test in TESTS, f"{test} is gone; name the test that checks this now"


def test_every_requirement_has_a_row() -> None:
    assert len(ROWS) == 38


def test_two_dashes_end_the_flags(world: World) -> None:
    assert world.call("ask", "-t", "0", "--", "-t", "--help", "5").status == 0
    assert world.api.body["messages"] == [{"role": "user", "content": "-t --help 5"}]
    assert world.api.body["temperature"] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["-t", "0", "--seed", "7", "why", "not"],
        ["why", "-t", "0", "not", "--seed", "7"],
        ["why", "not", "-t", "0", "--seed=7"],
    ],
)
def test_flags_may_precede_separate_or_follow_operands(world: World, arguments: list[str]) -> None:
    result = world.run("ask", *arguments)
    assert (result.status, result.err) == (0, "")
    body = world.api.body
    assert (body["messages"][0]["content"], body["temperature"], body["seed"]) == ("why not", 0, 7)


def test_nothing_to_ask_on_a_terminal_is_reported_at_once(world: World) -> None:
    with Terminal(world, *PROGRAM, "ask") as terminal:
        assert terminal.wait() == 2
        assert "nothing to ask; give a prompt" in terminal.shown


def test_there_is_no_key_prompt_if_stdin_is_not_a_terminal(world: World) -> None:
    result = world.run("config", "set-key", stdin="")
    assert (result.status, result.out) == (3, "")
    assert result.err.startswith("llamacli: ")
    assert result.err.count("\n") == 1
    assert not (world.config / ".env").exists()


def test_quiet_silences_notes_but_not_errors(world: World) -> None:
    (world.cwd / ".env").write_text("LLAMACLI_KEY_FILE=key\n")
    loud, quiet = (world.run("ask", *flags, "Hi", env={"AIMLAPI_API_KEY": ""}) for flags in ([], ["-q"]))
    assert "a project's .env" in loud.err
    assert (quiet.err, quiet.out) == ("", loud.out)
    failed = world.run("ask", "-q", "-t", "9", "Hi")
    assert (failed.status, failed.out) == (2, "")
    assert failed.err.startswith("llamacli: --temperature: '9' is out of range")
