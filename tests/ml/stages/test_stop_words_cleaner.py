import pytest
from pyspark.ml.feature import StopWordsRemover

from sparkalbert.errors import ModelNotFoundError, ParamError
from sparkalbert.ml import StopWordsCleaner


@pytest.mark.parametrize("language", ["english", "german", "russian", "turkish"])
def test_the_default_words_are_spark_mls(spark, language):
    assert StopWordsCleaner.loadDefaultStopWords(language) == StopWordsRemover.loadDefaultStopWords(language)


def test_what_there_is_not_is_refused():
    with pytest.raises(ParamError, match="no stop words for 'klingon', expected one of danish, dutch, english"):
        StopWordsCleaner.loadDefaultStopWords("klingon")
    with pytest.raises(ParamError, match="locale is 'Turkish', expected a language as Java writes it"):
        StopWordsCleaner(locale="Turkish")
    with pytest.raises(ModelNotFoundError, match=r"'stopwords_de' \(de\) are not part of sparkalbert"):
        StopWordsCleaner.pretrained("stopwords_de", "de")
