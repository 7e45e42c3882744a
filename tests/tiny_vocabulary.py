"""A small vocabulary like ALBERT's, trained on the text below in a fraction of a second.

Special pieces have ALBERT's ids, and so do the symbols that ALBERT's authors added by hand. Training is deterministic
and happens once per process.
"""

import io
from functools import cache
from pathlib import Path

import sentencepiece

VOCABULARY_SIZE = 300

# Training requires some hundreds of words that repeat; numbers before commas become pieces such as `9,`.
TEXT = """
The river was high in the spring of 1999, and the people of the town could not cross it.
In 1999, 2000, 2001, 2009, and 2019, the bridge was closed for the whole of the winter.
The old man walked to the market every morning and bought bread, apples, and a newspaper.
She said that she would not come again, because the house was too cold and too far away.
They were waiting for the train when the first snow of the year began to fall on the hills.
A doctor, a teacher, and a farmer met in the small station and talked about the weather.
The children played in the garden until their mother called them home for dinner.
He had never seen so many ships in the harbour, and he counted them again and again.
It is not known who wrote the letter, but it was found in the kitchen under a wooden box.
We should have listened to the radio before we left, said the driver of the second car.
There was no light in the street, so the two women went back to the hotel to wait.
The company sold 1,000 tickets in May, 3,000 in June, and 9,000 in July of the same year.
The price of the ticket was £5, then £9, and in the end it was more than €20 a person.
The government said on Monday that it would build another road to the north of the city.
Working people in the northern towns were asking for higher wages and better houses.
The teacher's daughter didn't want to read the book, so her brother read it to her instead.
"What are you doing here?" asked the officer. "Nothing," said the boy, looking at the ground.
The well-known writer (born in 1949, died in 2009) lived in the village for many years.
Nobody could explain the sound: it came from the water, it came at night, and it was loud.
He was playing the same song, over and over, on a piano that nobody had tuned for years.
The weather in the mountains is colder than the weather by the sea, even in the summer.
Our neighbours are kind people; they have been living in this street since 1989, I think.
The U.S. office was opened in 1979, closed in 1989, and opened again at the end of 1999.
I don't know what you mean, and I don't think that anybody else in this room knows either.
The train to the coast leaves at 9, the train to the city at 10, and the last one at 11.
Reading, writing, and counting were all that was taught in the school of the old village.
The longest journey of her life began with a short walk from the door to the garden gate.
A letter from the minister arrived on Friday, and the answer was sent the very same day.
The farmers wanted rain, the painters wanted sun, and the sailors wanted nothing but wind.
You can see the lighthouse from here, but you cannot hear the water when the wind is strong.
He could have taken the job, or so he thinks, if he had been younger and a little braver.
The workers counted boxes of apples: 19, 29, 39, 49, 59, 69, 79, 89, 99, and they were done.
Some questions have no answer - and some answers, she thought, never had any question.
The painting shows three women on a bridge; behind them there is a river and a burning town.
Under the floor they found coins, buttons, keys, a ring, and a map of a country nobody knew.
After the storm the whole village helped to repair the roof of the church and the school.
"""


@cache
def model_bytes() -> bytes:
    """Return the vocabulary as the bytes of a ``spiece.model``."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        # Only character sequences that occur twice can become pieces.
        sentence_iterator=iter(2 * TEXT.lower().strip().splitlines()),
        model_writer=model,
        model_type="unigram",
        vocab_size=VOCABULARY_SIZE,
        character_coverage=1.0,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        pad_piece="<pad>",
        unk_piece="<unk>",
        control_symbols=["[CLS]", "[SEP]", "[MASK]"],
        user_defined_symbols=["(", ")", '"', "-", ".", "–", "£", "€"],
        num_threads=1,
        minloglevel=3,
    )
    return model.getvalue()


def write(folder: str | Path) -> Path:
    """Write the vocabulary to ``folder/spiece.model`` and return that path; the folder is created."""
    path = Path(folder) / "spiece.model"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model_bytes())
    return path
