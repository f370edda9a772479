"""Word embeddings: made from texts, their linear algebra, and paths between them.

From a text to counts:
sentences, corpus -- a file, a stream or a text of the data folder, as lists of words
count_words, Vocabulary -- its words
count_pairs, Window -- how often a word and a context occur together
AttributeModel, sample_counts, sample_sentences -- words made of binary attributes

Embeddings, a pytree ``{"words": (n, d), "contexts": (m, d)}``:
pmi, factorise, combined -- pointwise mutual information and its singular value decomposition
train_exact, sgns_weights, sgns_loss, ExactConfig -- SGNS on its exact objective
train_sampled, SampledConfig, Subwords -- SGNS on a text, with fastText's subwords on request
composed -- the vectors of words, also of unknown ones, from those of their parts
train_glove, GloveConfig -- GloVe
Vectors, read_vectors, write_vectors -- files of word2vec and GloVe

Their algebra:
answer, Rule -- 3CosAdd, 3CosMul and pair direction for many questions
read_questions, question_file, evaluate_analogies, expected_accuracy -- accuracy on a file
place_questions -- the questions that given words cover, as places
direction, directions, attribute_space -- attributes as directions, in the space that is named
parallelogram_defect, coplanarity -- how exact parallelograms are
cspmi, conditions, analogy_errors -- what the corpus says of an analogy

Embeddings in weight space:
embedding_symmetry, align_embeddings, RUNGS -- GL(d), and one embedding moved onto another by it
along, AlongPath -- loss, analogies and attributes at every point of a path
exact_examples, exact_losses, pair_examples, pair_losses -- SGNS's loss, example by example
entry_examples, entry_losses -- the squared error of a factorisation
"""

from mconn.words.analogies import (
    METHODS as METHODS,
    Rule as Rule,
    answer as answer,
    expected_accuracy as expected_accuracy,
)
from mconn.words.attributes import (
    AttributeModel as AttributeModel,
    sample_counts as sample_counts,
    sample_sentences as sample_sentences,
)
from mconn.words.coupling import (
    RUNGS as RUNGS,
    AlongPath as AlongPath,
    Rung as Rung,
    align_embeddings as align_embeddings,
    along as along,
    embedding_symmetry as embedding_symmetry,
)
from mconn.words.factors import (
    Association as Association,
    ExactConfig as ExactConfig,
    Weights as Weights,
    combined as combined,
    factorise as factorise,
    pmi as pmi,
    sgns_loss as sgns_loss,
    sgns_weights as sgns_weights,
    train_exact as train_exact,
)
from mconn.words.geometry import (
    Conditions as Conditions,
    Errors as Errors,
    analogy_errors as analogy_errors,
    attribute_space as attribute_space,
    conditions as conditions,
    coplanarity as coplanarity,
    cspmi as cspmi,
    direction as direction,
    directions as directions,
    parallelogram_defect as parallelogram_defect,
)
from mconn.words.glove import (
    Glove as Glove,
    GloveConfig as GloveConfig,
    train_glove as train_glove,
)
from mconn.words.losses import (
    entry_examples as entry_examples,
    entry_losses as entry_losses,
    exact_examples as exact_examples,
    exact_losses as exact_losses,
    pair_examples as pair_examples,
    pair_losses as pair_losses,
)
from mconn.words.questions import (
    Lexicon as Lexicon,
    Score as Score,
    Section as Section,
    Share as Share,
    evaluate_analogies as evaluate_analogies,
    lexicon as lexicon,
    place_questions as place_questions,
    read_questions as read_questions,
)
from mconn.words.rows import (
    Subwords as Subwords,
    composed as composed,
)
from mconn.words.sampled import (
    SampledConfig as SampledConfig,
    Trained as Trained,
    train_sampled as train_sampled,
)
from mconn.words.text import (
    Vocabulary as Vocabulary,
    corpus as corpus,
    count_words as count_words,
    question_file as question_file,
    sentences as sentences,
)
from mconn.words.vectors import (
    FORMATS as FORMATS,
    Vectors as Vectors,
    read_vectors as read_vectors,
    write_vectors as write_vectors,
)
from mconn.words.windows import (
    Window as Window,
    count_pairs as count_pairs,
)
