"""What a good command-line program keeps to, row by row, each with the tests that hold llamacli to it."""

from __future__ import annotations

from importlib import import_module

import pytest

from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World

#: What is asked of the program, and the tests that it passes: module and function, those without a module are below.
ROWS: dict[str, tuple[str, ...]] = {
    "stdout is the answer": (
        "stdio.test_output.test_content_is_printed_verbatim_and_ends_with_one_newline",
        "stdio.test_output.test_json_is_the_whole_response_in_one_line",
    ),
    "notes, retries, usage and progress are on stderr": (
        "stdio.test_output.test_usage_is_asked_for_only_where_it_is_shown",
        "http.test_network.test_a_failure_that_may_pass_is_tried_again",
        "stdio.test_output.test_a_spinner_turns_on_a_terminal_and_leaves_nothing_behind",
    ),
    "0 is success, and every other status is documented and can be reached": (
        "program.test_statuses.test_every_status_is_reached",
        "program.test_docs.test_the_readmes_table_of_statuses_is_the_programs",
    ),
    "wrong usage is 2 and names the flag": (
        "program.test_statuses.test_usage_errors_are_one_line_that_names_what_is_wrong",
    ),
    "an error is one line with the program's name, without a traceback": (
        "program.test_statuses.test_usage_errors_are_one_line_that_names_what_is_wrong",
        "program.test_statuses.test_a_fault_is_70_and_tells_how_to_see_more",
        "program.test_statuses.test_a_broken_installation_is_70_and_not_1",
    ),
    "-h and --help are one thing, on stdout, with 0, after every command": (
        "program.test_docs.test_help_shows_every_flag_and_fits_the_terminal",
    ),
    "without arguments there is short help on stderr, and 2": (
        "program.test_docs.test_no_command_is_short_help_on_stderr",
    ),
    "help has examples and says where problems are reported": (
        "program.test_docs.test_help_shows_every_flag_and_fits_the_terminal",
        "program.test_docs.test_every_command_of_readme_help_and_man_page_runs",
    ),
    "--version is the name and a number": ("program.test_docs.test_version_goes_to_stdout",),
    "a short flag has a long form": ("program.test_docs.test_every_flag_has_a_long_form_of_its_own_and_a_sentence",),
    "-- ends the flags, and values may be joined to them": (
        "cli.test_params.test_short_and_joined_forms_work",
        "test_two_dashes_end_the_flags",
    ),
    "flags stand anywhere among the operands": ("test_flags_stand_before_between_or_after_operands",),
    "- is stdin": (
        "stdio.test_input.test_prompt_and_stdin_make_one_message",
        "stdio.test_input.test_a_dash_reads_the_terminal_and_says_so",
        "commands.test_raw.test_a_body_is_sent_byte_for_byte",
    ),
    "prompt, files and stdin come together in one order": (
        "stdio.test_input.test_prompt_and_stdin_make_one_message",
        "stdio.test_input.test_files_stand_between_prompt_and_stdin",
    ),
    "a terminal is not waited for in silence": (
        "stdio.test_input.test_a_dash_reads_the_terminal_and_says_so",
        "commands.test_raw.test_a_terminal_is_not_waited_for",
        "test_nothing_to_ask_on_a_terminal_is_told_at_once",
    ),
    "nobody is prompted where stdin is no terminal": ("test_no_key_is_asked_for_where_stdin_is_no_terminal",),
    "NO_COLOR, TERM=dumb and --no-color": (
        "stdio.test_output.test_colour_is_for_a_terminal_that_takes_it",
        "stdio.test_output.test_quiet_and_no_color_count_for_what_is_said_before_they_are_read",
    ),
    "stdout and stderr are each looked at for themselves": (
        "stdio.test_output.test_stdout_on_a_terminal_is_escaped_while_a_pipe_is_not",
        "stdio.test_output.test_colour_is_for_a_terminal_that_takes_it",
    ),
    "a spinner is for a terminal": ("stdio.test_output.test_a_spinner_turns_on_a_terminal_and_leaves_nothing_behind",),
    "tokens come out as they come in": (
        "stdio.test_output.test_tokens_come_out_as_they_come_in",
        "commands.test_raw.test_slow_tokens_of_a_stream_are_passed_on_at_once",
    ),
    "one newline ends the output": ("stdio.test_output.test_content_is_printed_verbatim_and_ends_with_one_newline",),
    "--json is JSON, with no error in it": (
        "stdio.test_output.test_json_is_the_whole_response_in_one_line",
        "stdio.test_output.test_json_of_a_failure_prints_nothing_on_stdout",
        "program.test_docs.test_every_command_of_readme_help_and_man_page_runs",
    ),
    "-q silences notes and no error": ("test_quiet_silences_notes_and_no_error",),
    "flag before environment before .env before the user's file before default": (
        "config.test_settings.test_flag_before_environment_before_both_files_before_default",
    ),
    "the XDG folders": (
        "config.test_settings.test_xdg_config_home_is_honoured_where_it_is_absolute",
        "cli.test_completions.test_the_xdg_folders_are_honoured_where_they_are_absolute",
        "commands.test_models.test_the_list_is_kept_for_completions",
    ),
    "files are private or as the umask has them, and whole after kill -9": (
        "stdio.test_output.test_kill_9_leaves_the_old_file",
        "stdio.test_output.test_a_private_file_stays_private_whatever_part_was_left",
        "commands.test_config.test_a_key_is_stored_where_nobody_else_reads",
        "chat.test_session.test_a_session_holds_a_line_a_message_and_is_private",
        "chat.test_session.test_a_kill_at_any_moment_leaves_a_session_with_every_completed_turn",
    ),
    "the key is in no argument, log, error or file": (
        "config.test_settings.test_the_key_is_nowhere_but_in_the_header",
        "commands.test_config.test_the_key_is_in_no_output_of_any_command",
    ),
    "the key comes from a file, a command or stdin": (
        "config.test_settings.test_the_first_source_that_holds_a_key_wins",
        "commands.test_config.test_any_key_that_a_header_carries_comes_back",
    ),
    "proxies are gone through, and netrc replaces no key": (
        "http.test_network.test_other_hosts_do",
        "http.test_network.test_loopback_never_goes_through_a_proxy",
        "config.test_settings.test_netrc_neither_replaces_nor_adds_a_key",
    ),
    "Ctrl-C is silent, 130, and stops a loop": (
        "program.test_signals.test_a_signal_ends_the_call_by_itself_and_silently",
        "program.test_signals.test_ctrl_c_stops_a_bash_loop",
    ),
    "a reader that leaves is 141, silently": ("program.test_signals.test_a_reader_that_leaves_is_141_and_silent",),
    "a full disk is one line and 74": (
        "stdio.test_output.test_a_full_disk_is_told",
        "program.test_signals.test_an_output_that_cannot_be_written_is_74",
    ),
    "limits of time have defaults and flags, and Retry-After counts": (
        "http.test_network.test_the_whole_call_has_a_limit_of_its_own",
        "http.test_network.test_silence_before_the_answer_is_8_and_never_tried_again",
        "http.test_network.test_retry_after_is_waited_for_in_seconds_and_as_a_date",
    ),
    "UTF-8 in any locale, and bytes that are none are told": (
        "stdio.test_input.test_utf8_passes_in_any_locale",
        "stdio.test_input.test_bytes_that_are_not_utf8_are_named_and_refused",
    ),
    "man page, completions, installation": (
        "cli.test_generated.test_the_man_page_lints",
        "cli.test_completions.test_every_flag_of_every_command_is_offered_under_all_its_names",
        "program.test_install.test_a_staged_installation_runs_and_goes_without_a_trace",
    ),
    "a misspelt command or flag has the right one named": (
        "program.test_statuses.test_usage_errors_are_one_line_that_names_what_is_wrong",
    ),
    "what takes long says what it waits for": (
        "stdio.test_input.test_a_silent_stdin_is_named_after_two_seconds",
        "stdio.test_output.test_a_spinner_turns_on_a_terminal_and_leaves_nothing_behind",
    ),
    "a file that is the user's keeps what the user wrote": ("commands.test_config.test_all_else_in_the_file_stays",),
}


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_its_tests(row: str) -> None:
    assert ROWS[row]
    for test in ROWS[row]:
        module, _, name = test.rpartition(".")
        found = getattr(import_module(f"tests.{module or 'program.test_checklist'}"), name, None)
        assert callable(found), f"{test} is gone: which test holds the program to this?"


def test_there_are_as_many_rows_as_demands() -> None:
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
def test_flags_stand_before_between_or_after_operands(world: World, arguments: list[str]) -> None:
    result = world.run("ask", *arguments)
    assert (result.status, result.err) == (0, "")
    body = world.api.body
    assert (body["messages"][0]["content"], body["temperature"], body["seed"]) == ("why not", 0, 7)


def test_nothing_to_ask_on_a_terminal_is_told_at_once(world: World) -> None:
    with Terminal(world, *PROGRAM, "ask") as terminal:
        assert terminal.wait() == 2
        assert "nothing to ask; give a prompt" in terminal.shown


def test_no_key_is_asked_for_where_stdin_is_no_terminal(world: World) -> None:
    result = world.run("config", "set-key", stdin="")
    assert (result.status, result.out) == (3, "")
    assert result.err.startswith("llamacli: ")
    assert result.err.count("\n") == 1
    assert not (world.config / ".env").exists()


def test_quiet_silences_notes_and_no_error(world: World) -> None:
    (world.cwd / ".env").write_text("LLAMACLI_KEY_FILE=key\n")
    loud, quiet = (world.run("ask", *flags, "Hi", env={"AIMLAPI_API_KEY": ""}) for flags in ([], ["-q"]))
    assert "stranger" in loud.err
    assert (quiet.err, quiet.out) == ("", loud.out)
    failed = world.run("ask", "-q", "-t", "9", "Hi")
    assert (failed.status, failed.out) == (2, "")
    assert failed.err.startswith("llamacli: --temperature: '9' is out of range")
