"""``load_config``: a file or a folder of them -> ``Config``, or every problem at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, UserError, did_you_mean
from ..model.alert import BUILT_IN_RULES
from ..model.monitored_model import BlastRadius, Config, Model
from ..model.self_monitoring import HeartbeatSpec, WatchdogSpec
from ..model.severity import Severity
from ..regular_file import read_regular_file
from . import schema, vocabulary
from .annotations import ANNOTATIONS_FILE
from .baselines import BaselineFiles
from .digest import config_digest
from .models import build_model
from .reader import Entries, Reader, shorten
from .resolve import resolve_model, resolve_watchdog
from .rules import RULE_FIELDS
from .secrets import Vault
from .yaml_nodes import MappingNode, Node, SequenceNode, parse_yaml

MAX_PROBLEMS = 100
"""Further problems are only counted."""
MAX_FILES = 2_000
MAX_FILE_BYTES = 64 << 20
"""Far more than is parsed: the error says how large a file is."""
SUFFIXES = (".yml", ".yaml")
TESTS_SUFFIXES = ("modelwatch-tests.yml", "modelwatch-tests.yaml")
"""How the names of files of rule tests end: they are no part of the configuration in their folder."""


@dataclass(frozen=True, slots=True)
class _WholeSection:
    """A section that applies to the whole configuration, such as ``blast_radius``: one file states it."""

    key: str
    spec: BlastRadius | HeartbeatSpec | WatchdogSpec
    where: str


@dataclass(frozen=True, slots=True)
class _ParsedFile:
    """One file."""

    reader: Reader
    models: tuple[Model, ...] = ()
    whole: tuple[_WholeSection, ...] = ()
    """What it says about the whole configuration."""
    unreadable: tuple[UserError, ...] = ()
    """Why it cannot be read."""


def load_config(
    path: Path, env: Mapping[str, str], *, require_secrets: bool = True, require_baselines: bool = True
) -> Config:
    """The configuration in ``path``, a file or a folder of ``*.yml``.

    ``env`` gives the values of ``${NAME}``. With ``require_secrets=False`` a missing variable is a warning and its
    secret ``None``; with ``require_baselines=False`` a baseline file can be missing, to be captured later. Raises
    ``ConfigError`` with all problems, in the order of the files.
    """
    vault = Vault(env, require=require_secrets)
    files = BaselineFiles(require=require_baselines)
    problems: list[UserError] = list(vault.problems)
    loaded = [_load_file(file, vault, files) for file in _config_files(path)]
    _check_references(loaded)
    for file in loaded:
        problems += [*file.unreadable, *file.reader.problems()]
    problems.extend(_find_duplicates(loaded))
    problems.extend(_find_dependency_circles(loaded))
    if problems:
        raise _truncate_problems(problems)
    return _build_config(loaded, vault)


def _build_config(loaded: list[_ParsedFile], vault: Vault) -> Config:
    whole = [section.spec for file in loaded for section in file.whole]
    blast_radius = next((spec for spec in whole if isinstance(spec, BlastRadius)), BlastRadius())
    heartbeat = next((spec for spec in whole if isinstance(spec, HeartbeatSpec)), None)
    watchdog = next((spec for spec in whole if isinstance(spec, WatchdogSpec)), None)
    models = [model for file in loaded for model in file.models]
    resolved = tuple(resolve_model(model, file.reader.folder, vault) for file in loaded for model in file.models)
    return Config(
        models=resolved,
        digest=config_digest(models, blast_radius, heartbeat, watchdog),
        blast_radius=blast_radius,
        warnings=tuple(warning for file in loaded for warning in file.reader.warnings()),
        secrets=vault.all_secrets(),
        heartbeat=heartbeat,
        watchdog=resolve_watchdog(watchdog, vault) if watchdog else None,
        all_models=tuple(model.name for model in resolved),
    )


def _config_files(path: Path) -> list[Path]:
    """The file, or the configuration files of the folder by name."""
    try:
        if not path.is_dir():
            return [path]
        files = sorted(
            file
            for file in path.iterdir()
            if file.suffix in SUFFIXES
            and file.name != ANNOTATIONS_FILE
            and not file.name.endswith(TESTS_SUFFIXES)
            and file.is_file()
        )
    except (OSError, ValueError) as error:
        raise ConfigError((_unreadable_error(path, error),)) from None
    if not files:
        hint = "`modelwatch init` writes a first one."
        raise ConfigError((UserError("the folder holds no *.yml file.", hint=hint, where=str(path)),))
    if len(files) > MAX_FILES:
        raise ConfigError((UserError(f"the folder holds more than {MAX_FILES} files.", where=str(path)),))
    return files


def _unreadable_error(path: Path, error: Exception) -> UserError:
    if isinstance(error, FileNotFoundError):
        hint = "`modelwatch init` writes one; `--config` names another place."
        return UserError("there is no such file.", hint=hint, where=str(path))
    reason = getattr(error, "strerror", None) or type(error).__name__
    return UserError(f"the file cannot be read: {reason}.", where=str(path))


def _load_file(path: Path, vault: Vault, files: BaselineFiles) -> _ParsedFile:
    reader = Reader(str(path), path.parent, vault)
    try:
        root = parse_yaml(read_regular_file(path, MAX_FILE_BYTES), reader.file)
    except ConfigError as error:
        return _ParsedFile(reader, unreadable=error.problems)
    except (OSError, ValueError) as error:
        return _ParsedFile(reader, unreadable=(_unreadable_error(path, error),))
    section = schema.FILE.read(root, reader, unread={"models"})
    if section is None:
        return _ParsedFile(reader)
    if not section.key_names():
        reader.add_problem(root, "the configuration is empty.", "`modelwatch init` writes one to start from.")
    defaults = section.value_node("defaults") if section.get("defaults") is not None else None
    models: tuple[Model, ...] = ()
    if "models" in section:
        models = _read_models(section.value_node("models"), defaults, reader, files)
    whole = tuple(
        _WholeSection(key, own.build(), reader.location(section.key_node(key)))
        for key in schema.WHOLE_KEYS
        if (own := section.get(key)) is not None
    )
    return _ParsedFile(reader, models, whole)


def _read_models(node: Node, defaults: Node | None, reader: Reader, files: BaselineFiles) -> tuple[Model, ...]:
    """The models one by one, each with the defaults merged in."""
    if not isinstance(node, SequenceNode) or not node.items:
        schema.FILE.fields["models"].field_type.read(node, reader)
        return ()
    base, rule_base = _read_defaults(defaults, reader)
    built = []
    for item in node.items:
        section = schema.MODEL.read(_with_defaults(item, base, rule_base, reader), reader)
        if section is not None:
            built.append(build_model(section, files))
    return tuple(built)


def _read_defaults(defaults: Node | None, reader: Reader) -> tuple[MappingNode | None, Node | None]:
    """The defaults of a model and of a rule, without unknown keys (which are reported once, where they are)."""
    if not isinstance(defaults, MappingNode):
        return None, None
    base = reader.select(defaults, schema.MODEL_FIELDS)
    rule = reader.entries(defaults).get("rule", (defaults, None))[1]
    return base, reader.select(rule, RULE_FIELDS) if isinstance(rule, MappingNode) else None


def _with_defaults(item: Node, base: MappingNode | None, rule_base: Node | None, reader: Reader) -> Node:
    """A model with the defaults that it does not state itself. Its own source replaces one from the defaults."""
    if base is None or not isinstance(item, MappingNode):
        return item
    own = reader.entries(item)
    replaced = {"wandb" if "table" in own else "", "table" if "wandb" in own else ""}
    usable = reader.select(base, schema.MODEL_FIELDS.keys() - replaced)
    deep = schema.MERGED_KEYS - {"wandb"} if _mixes_wandb_sources(own, usable, reader) else schema.MERGED_KEYS
    merged = reader.overlay(usable, item, deep)
    if rule_base is not None and isinstance(merged, MappingNode) and "rules" in own:
        key, rules = own["rules"]
        if isinstance(rules, SequenceNode):
            _warn_of_replaced_tiers(rule_base, rules, reader)
            items = [reader.overlay(rule_base, rule) for rule in rules.items]
            rule_list = SequenceNode(rules.line, rules.column, items)
            merged.pairs = [(key, rule_list) if pair[0] is key else pair for pair in merged.pairs]
    return merged


def _warn_of_replaced_tiers(base: Node, rules: SequenceNode, reader: Reader) -> None:
    """Tiers of the defaults do not reach a rule that has some of its own, whose unit may be another. Where milder ones
    are lost, the rule fires later than its writer may think."""
    common = reader.entries(base).get("tiers") if isinstance(base, MappingNode) else None
    if common is None or not isinstance(common[1], MappingNode):
        return
    order = list(map(str, Severity))
    usual = [name for name in order if name in reader.entries(common[1])]
    for rule in rules.items:
        own = reader.entries(rule).get("tiers") if isinstance(rule, MappingNode) else None
        if own is None or not isinstance(own[1], MappingNode):
            continue
        stated = [name for name in order if name in reader.entries(own[1])]
        lost = usual[: sum(order.index(name) < order.index(stated[0]) for name in usual)] if stated else []
        if lost:
            what = f"{' and '.join(lost)} of the defaults {'do' if len(lost) > 1 else 'does'} not apply"
            reader.add_warning(own[0], f"this rule has tiers of its own, so {what}: state all of them here.")


def _mixes_wandb_sources(own: Entries, base: MappingNode, reader: Reader) -> bool:
    """Whether model and defaults read W&B in two ways, offline directories and the API: these do not mix."""
    own_wandb, default_wandb = (entries.get("wandb", (base, base))[1] for entries in (own, reader.entries(base)))
    if not isinstance(own_wandb, MappingNode) or not isinstance(default_wandb, MappingNode):
        return False
    return any(
        way in reader.entries(own_wandb) and other in reader.entries(default_wandb)
        for way, other in (("offline", "project"), ("project", "offline"))
    )


def _check_references(loaded: list[_ParsedFile]) -> None:
    """A silence or inhibition for a rule or kind that does not exist mutes nothing, which nobody would notice; nor
    would anybody notice a dependency on a model that does not exist."""
    rules = [rule for file in loaded for model in file.models for rule in model.rules]
    known = {
        "rule": {rule.name for rule in rules} | BUILT_IN_RULES,
        "kind": {rule.kind for rule in rules} | set(vocabulary.KINDS),
        "model": {model.name for file in loaded for model in file.models},
    }
    for file in loaded:
        for node, word, name in file.reader.references:
            if name not in known[word]:
                message = f"no model has a {word} `{shorten(name)}`, so this entry mutes nothing."
                if word == "model":
                    message = f"there is no model `{shorten(name)}` to depend on."
                file.reader.add_problem(node, message, did_you_mean(name, known[word]))


def _find_duplicates(loaded: list[_ParsedFile]) -> Iterable[UserError]:
    """What only shows when all files are read."""
    first: dict[str, Model] = {}
    for file in loaded:
        for model in file.models:
            if model.name and model.name in first:
                message = f"there is a model `{shorten(model.name)}` already, at {first[model.name].where}."
                yield UserError(message, hint="Names are unique in the whole configuration.", where=model.where)
            first.setdefault(model.name, model)
    stated: dict[str, str] = {}
    for section in (section for file in loaded for section in file.whole):
        if section.key in stated:
            first_place = stated[section.key]
            message = f"`{section.key}` applies to the whole configuration, and is already set at {first_place}."
            yield UserError(message, hint="Keep it in one file.", where=section.where)
        stated.setdefault(section.key, section.where)


def _find_dependency_circles(loaded: list[_ParsedFile]) -> Iterable[UserError]:
    """Of models that depend on each other none is upstream; each circle is reported once, by its first model."""
    models = {model.name: model for file in loaded for model in file.models}
    reached = {name: _dependencies(models, name) for name in models}
    for name, model in models.items():
        circle = sorted(other for other in reached[name] if name in reached[other] and other != name)
        if circle and name < circle[0]:
            message = (
                f"`{shorten(name)}` and {', '.join(f'`{shorten(other)}`' for other in circle)} depend on each other."
            )
            yield UserError(message, hint="`depends_on` names models that come before this one.", where=model.where)


def _dependencies(models: Mapping[str, Model], name: str) -> set[str]:
    """The models that ``name`` depends on, directly or not; itself among them in a circle."""
    reached: set[str] = set()
    waiting = list(models[name].depends_on)
    while waiting:
        following = waiting.pop()
        if following in models and following not in reached:
            reached.add(following)
            waiting += models[following].depends_on
    return reached


def _truncate_problems(problems: list[UserError]) -> ConfigError:
    if len(problems) <= MAX_PROBLEMS:
        return ConfigError(tuple(problems))
    rest = UserError(f"... and {len(problems) - MAX_PROBLEMS} more problems.")
    return ConfigError((*problems[:MAX_PROBLEMS], rest))
