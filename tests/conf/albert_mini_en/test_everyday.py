from conf.albert_mini_en.everyday import everyday_weights, read_levels, read_names, read_tagged_counts
from conf.albert_mini_en.sources import WORD_LISTS
from tests.conf.albert_mini_en import folder as downloads


def test_a_word_that_one_source_repeats_has_less_weight_than_one_that_all_use():
    sources = {"sea": {"whale": 70, "bread": 30}, "bakery": {"oven": 70, "bread": 30}}
    weights = everyday_weights(sources, {}, ["whale", "bread", "oven"])
    assert weights["bread"] > weights["whale"] == weights["oven"] > 0


def test_common_words_have_more_weight_and_inflected_forms_less():
    sources = {"one": {"table": 10, "gable": 10, "gables": 10, "zzyx": 10, "was": 999_960}}
    weights = everyday_weights(sources, {"table": 10, "unused": 35}, ["table", "gable"])
    assert weights["table"] == 10 * weights["gable"], (
        "a factor of 8 for SCOWL's first list, and 0.8 for a word of WordNet alone"
    )
    assert weights["gables"] < weights["zzyx"] < weights["gable"]
    assert weights["was"] > 100 * weights["gable"], "very frequent forms keep their weight"
    assert 0 < weights["unused"] < weights["table"]


def test_stems_are_found_through_changed_letters():
    forms = {"stories": "story", "stopped": "stop", "making": "make", "gently": "gentle", "boxes": "box"}
    # Compared with an equally frequent word that is not an inflected form.
    counts = dict.fromkeys((*forms, "qqqq"), 1) | {"the": 10**6}
    weights = everyday_weights({"one": counts}, {}, forms.values())
    assert all(weights[form] < weights["qqqq"] for form in forms)


def test_the_level_of_a_word_is_its_smallest_list(tmp_path):
    for level in (10, 20, 35):
        for kind in ("english", "american"):
            (tmp_path / f"{kind}-words.{level}").write_text(f"word\nlevel{level}\n", encoding="latin-1")
    (tmp_path / "english-words.20").write_text("Caf\xe9\nday's\n", encoding="latin-1")
    levels = read_levels(tmp_path)
    assert levels["word"] == 10
    assert levels["level35"] == 35
    assert levels["cafe"] == levels["day"] == 20


def test_names_are_read_once_and_without_possessives(tmp_path):
    downloads.write(tmp_path)
    folder = WORD_LISTS.folder(tmp_path)
    (folder / "english-upper.10").write_text("Monday\nMonday's\n", encoding="latin-1")
    (folder / "english-proper-names.50").write_text("Zo\xeb\nMonday\n", encoding="latin-1")
    assert read_names(folder) == ["Monday", "Zoë"]


def test_tagged_words_are_counted_over_all_senses(tmp_path):
    lines = "bank%1:14:00:: 1 20\nbank%1:17:01:: 2 14\nriver_bank%1:17:00:: 1 3\n"
    (tmp_path / "cntlist.rev").write_text(lines, encoding="utf-8")
    assert read_tagged_counts(tmp_path) == {"bank": 34}
