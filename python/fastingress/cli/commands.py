"""The commands and their arguments."""

from __future__ import annotations

import os
from typing import Any

import typer

from fastingress.cli.arguments import RUN_OPTIONS, TABLE_OPTIONS, given, with_options
from fastingress.cli.sections import Command, Commands
from fastingress.cli.serving import serve
from fastingress.config import FLAGS, Config, from_arguments, unknown_variables, without_effect

_OUTPUT = typer.Option(
    "table",
    "--output",
    "-o",
    metavar="table|json",
    help="The form of the answer. Default: table.",
    show_default=False,
)
_ADMIN = typer.Option(
    None, "--admin", metavar="URL", help="Ask a running gateway at its admin port, such as http://127.0.0.1:10254."
)
_MANIFESTS = typer.Option(
    None,
    "--manifests",
    metavar="PATH",
    help="A manifest file, or a folder of them, read recursively. May be given several times. Variable: "
    f"{FLAGS['manifests'].variable}.",
)
_PATHS = typer.Argument(None, metavar="[PATH]...", help="The same as --manifests.", show_default=False)

_URL = typer.Argument(
    ...,
    metavar="URL",
    help="As in a browser, https://shop.example.com/cart; or tcp://:9000, udp://:53 for where a port leads.",
    show_default=False,
)
_METHOD = typer.Option(
    "GET", "--method", "-X", metavar="METHOD", help="The method of the request. Default: GET.", show_default=False
)
_HEADER = typer.Option(
    None, "--header", "-H", metavar="'NAME: VALUE'", help="A header of the request. May be given several times."
)
_NAME = typer.Option(
    "fastingress",
    "--name",
    metavar="NAME",
    help="The ServiceAccount, which the objects are named after. Default: fastingress.",
    show_default=False,
)
_NAMESPACE = typer.Option(
    os.environ.get("POD_NAMESPACE") or "fastingress",
    "--namespace",
    metavar="NAMESPACE",
    help="Where the controller is. Default: fastingress. Variable: POD_NAMESPACE.",
    show_default=False,
)
_SECRET = typer.Option(
    None, "--secret", metavar="NAMESPACE/NAME", help="A Secret that is granted by name. May be given several times."
)
_CONFIG_MAP = typer.Option(
    None,
    "--config-map",
    metavar="NAMESPACE/NAME",
    help="A ConfigMap that is granted by name, in place of all. May be given several times.",
)
_VERSION = typer.Option(False, "--version", help="Print the version and exit.", show_default=False)

_ABOUT = """Serve Kubernetes Ingresses, with a Rust data plane.

Without a command it runs a gateway, and takes the options of run: fastingress serves the cluster it is in, fastingress
--manifests FOLDER serves a folder without one.
"""


def command() -> Any:
    """The whole command line, to be called."""
    app = typer.Typer(
        help=_ABOUT, add_completion=False, no_args_is_help=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    app.callback(invoke_without_command=True, cls=Commands)(_default)
    for name, function in (
        ("run", _run),
        ("check", _check),
        ("routes", _routes),
        ("explain", _explain),
        ("rbac", _rbac),
    ):
        app.command(name, cls=Command)(function)
    return typer.main.get_command(app)


def is_usage_error(error: Exception) -> bool:
    """Whether it is the parser's: a wrong option or argument. Not every version of typer has a public name for it."""
    return any(base.__name__ == "ClickException" for base in type(error).__mro__)


@with_options(FLAGS, hidden=True)
def _default(
    invocation: typer.Context,
    version: bool = _VERSION,
    **options: Any,
) -> Any:
    if version:
        return _print_version()
    if invocation.invoked_subcommand is None:
        return serve(given(options))
    if given(options):
        first = FLAGS[next(iter(given(options)))].option
        raise typer.BadParameter(
            f"{first} goes after the command: fastingress {invocation.invoked_subcommand} {first} ..."
        )
    return None


@with_options(FLAGS)
def _run(**options: Any) -> Any:
    """Serve Ingresses, of a cluster or of manifests. The default command.

    Every change is followed.
    """
    return serve(given(options))


@with_options(TABLE_OPTIONS)
def _routes(
    paths: list[str] | None = _PATHS,
    manifests: list[str] | None = _MANIFESTS,
    admin: str | None = _ADMIN,
    output: str = _OUTPUT,
    **options: Any,
) -> Any:
    """Print all routes, and TCP and UDP services.

    Of manifests, as a gateway with these options would have them, or of a running gateway.
    """
    from fastingress.cli import asking, show

    source = asking.of(admin, _table_config(paths, manifests, admin, options))
    show.table(source.routes(), source.ports(), show.form(output))


@with_options(TABLE_OPTIONS)
def _explain(
    url: str = _URL,
    method: str = _METHOD,
    header: list[str] | None = _HEADER,
    manifests: list[str] | None = _MANIFESTS,
    admin: str | None = _ADMIN,
    output: str = _OUTPUT,
    **options: Any,
) -> Any:
    """Print which rule takes a request, and why others do not.

    Or where a TCP or UDP port leads; of manifests or of a running gateway. Exit status 1 when no rule takes it, or no
    service takes connections to the port.
    """
    from fastingress.app.options import reserved_port
    from fastingress.cli import asking, show
    from fastingress.library.url import asked, asked_port, is_of_port

    config = _table_config(None, manifests, admin, options)
    source = asking.of(admin, config)
    wanted = asked_port(url)
    port = next((one for one in source.ports() if (one.protocol, one.port) == wanted), None) if wanted else None
    if wanted and is_of_port(url):
        show.port(*wanted, port, "" if admin else reserved_port(config, *wanted), show.form(output))
        return 0 if port and port.takes_connections else 1
    headers = asking.headers(header or [])
    explanation = source.explain(url, method, headers)
    problems = source.problems() if explanation.certificate or explanation.client_auth else []
    show.explanation(explanation, asked(url, dict(headers)), port, problems, show.form(output))
    return 0 if explanation.winner else 1


@with_options(RUN_OPTIONS)
def _check(
    paths: list[str] | None = _PATHS,
    manifests: list[str] | None = _MANIFESTS,
    admin: str | None = _ADMIN,
    output: str = _OUTPUT,
    **options: Any,
) -> Any:
    """Print every problem, with file, line and object.

    Of manifests, those that a gateway with these options would have, or of a running gateway. Exit status 1 when there
    are errors; warnings alone are 0.
    """
    from fastingress.cli import asking, show

    config = _table_config(paths, manifests, admin, options)
    problems = asking.of(admin, config).problems()
    show.remarks([] if admin else [*unknown_variables(os.environ), *without_effect(config)])
    show.problems(problems, show.form(output))
    return 1 if any(problem.severity == "error" for problem in problems) else 0


@with_options(RUN_OPTIONS)
def _rbac(
    name: str = _NAME,
    namespace: str = _NAMESPACE,
    secret: list[str] | None = _SECRET,
    config_map: list[str] | None = _CONFIG_MAP,
    **options: Any,
) -> Any:
    """Print the RBAC objects that a gateway needs in a cluster.

    As YAML: what a gateway with these options needs, and no more.
    """
    from fastingress.cli import rbac

    config = from_arguments(given(options), os.environ)
    named = rbac.named(config, secret or [], config_map or [])
    typer.echo(rbac.document(config, named, name=name, namespace=namespace), nl=False)


def _table_config(
    paths: list[str] | None, manifests: list[str] | None, admin: str | None, options: dict[str, Any]
) -> Config:
    named = [*(paths or []), *(manifests or [])]
    if admin is not None and named:
        raise typer.BadParameter("--admin asks a running gateway, which has its own manifests: give one or the other")
    if admin is not None and given(options):
        first = FLAGS[next(iter(given(options)))].option
        raise typer.BadParameter(f"--admin asks a running gateway, which has its own {first}: give one or the other")
    return from_arguments({**given(options), "manifests": named}, os.environ)


def _print_version() -> None:
    from fastingress import __version__

    typer.echo(f"fastingress {__version__}")
