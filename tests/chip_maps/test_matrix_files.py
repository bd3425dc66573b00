"""What comes in as a matrix or a right-hand side is right, or is refused in one clear sentence."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from repository import ROOT

from mho.chip_maps.matrix_files import (
    LARGEST,
    from_real_vector,
    load_matrix,
    load_right_hand_sides,
    load_vectors,
    sample_names,
    to_real,
    to_real_vector,
)
from mho.errors import InputError

MATRICES = ROOT / "mho/chip_maps/matrices"
BANNER = "%%MatrixMarket matrix"
FINITE = st.floats(allow_nan=False, allow_infinity=False)
COMPLEX = st.complex_numbers(allow_nan=False, allow_infinity=False)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("matrices")


real_squares = st.integers(1, 5).flatmap(lambda n: arrays.arrays(float, (n, n), elements=FINITE))
complex_squares = st.integers(1, 5).flatmap(lambda n: arrays.arrays(complex, (n, n), elements=COMPLEX))


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# What is written is read, to the last bit.


@given(st.one_of(real_squares, complex_squares))
def test_npy_comes_back(folder: Path, matrix: np.ndarray):
    np.save(folder / "a.npy", matrix)
    loaded = load_matrix(folder / "a.npy")
    assert loaded.dtype == matrix.dtype
    np.testing.assert_array_equal(loaded, matrix)


@given(real_squares, st.sampled_from([",", ";", " ", "\t", " , "]), st.sampled_from(["", "a", "\ufeff"]))
def test_csv_comes_back(folder: Path, matrix: np.ndarray, mark: str, start: str):
    header = mark.join("a" for _ in matrix) + "\r\n" if start == "a" else start
    text = header + "".join(mark.join(map(repr, row)) + "\r\n" for row in matrix.tolist())
    np.testing.assert_array_equal(load_matrix(written(folder / "a.csv", text)), matrix)


@given(complex_squares, st.sampled_from("ij"), st.booleans())
def test_complex_csv_comes_back(folder: Path, matrix: np.ndarray, unit: str, quoted: bool):
    cells = [[str(value).strip("()").replace("j", unit) for value in row] for row in matrix.tolist()]
    quote = '"' if quoted else ""
    text = "\n".join(";".join(f"{quote}{cell}{quote}" for cell in row) for row in cells)
    loaded = load_matrix(written(folder / "a.csv", text))
    assert loaded.dtype == np.complex128
    np.testing.assert_array_equal(loaded, matrix)


def test_csv_as_numpy_writes_it_comes_back(tmp_path: Path, rng: np.random.Generator):
    matrix = rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3))
    np.savetxt(tmp_path / "a.csv", matrix, delimiter=",", header="three by three")
    np.testing.assert_allclose(load_matrix(tmp_path / "a.csv"), matrix, rtol=1e-15)


@given(st.one_of(real_squares, complex_squares), st.booleans())
def test_mtx_comes_back(folder: Path, matrix: np.ndarray, sparse: bool):
    scipy.io.mmwrite(
        folder / "a.mtx",
        scipy.sparse.coo_array(matrix) if sparse else matrix,
        precision=17,
        symmetry="general",
    )
    np.testing.assert_array_equal(load_matrix(folder / "a.mtx"), matrix)


@pytest.mark.parametrize("layout", ["array", "coordinate"])
@pytest.mark.parametrize("symmetry", ["symmetric", "hermitian", "skew-symmetric"])
def test_mtx_symmetries_are_unfolded(tmp_path: Path, rng: np.random.Generator, symmetry: str, layout: str):
    half = rng.integers(-9, 9, (4, 4)) + 0.5
    full = {"symmetric": half + half.T, "skew-symmetric": half - half.T}.get(symmetry)
    if full is None:
        full = half + half.T + 1j * (half - half.T)
    scipy.io.mmwrite(
        tmp_path / "a.mtx",
        scipy.sparse.coo_array(full) if layout == "coordinate" else full,
        symmetry=symmetry,
    )
    header = (tmp_path / "a.mtx").read_text().splitlines()[0]
    assert layout in header
    assert symmetry in header
    np.testing.assert_array_equal(load_matrix(tmp_path / "a.mtx"), full)


@pytest.mark.filterwarnings("ignore:The default value for `spmatrix`:DeprecationWarning")  # SciPy 1.18 on
@given(st.one_of(real_squares, complex_squares))
def test_mtx_is_read_as_scipy_reads_it(folder: Path, matrix: np.ndarray):
    assume(np.abs(matrix).max() < 1e300)  # five digits of more round up to infinity
    for values in (matrix, scipy.sparse.coo_array(matrix)):
        scipy.io.mmwrite(folder / "a.mtx", values, precision=5, symmetry="general")
        theirs = scipy.io.mmread(folder / "a.mtx")
        ours = load_matrix(folder / "a.mtx")
        np.testing.assert_array_equal(ours, theirs.toarray() if scipy.sparse.issparse(theirs) else theirs)


def test_mtx_entries_that_occur_twice_are_added_and_a_pattern_is_ones(tmp_path: Path):
    twice = f"{BANNER} coordinate integer general\n2 2 3\n1 1 3\n2 2 1\n1 1 4\n"
    np.testing.assert_array_equal(load_matrix(written(tmp_path / "a.mtx", twice)), [[7, 0], [0, 1]])
    pattern = f"{BANNER} coordinate pattern symmetric\n2 2 2\n1 1\n2 1\n"
    np.testing.assert_array_equal(load_matrix(written(tmp_path / "b.mtx", pattern)), [[1, 1], [1, 0]])


def test_mtx_comments_may_be_in_any_encoding(tmp_path: Path):
    path = written(tmp_path / "a.mtx", f"{BANNER} array integer general\n% Grün\n1 1\n7\n".encode("latin-1"))
    assert load_matrix(path) == [[7.0]]


@pytest.mark.parametrize("kind", [list, np.array, scipy.sparse.csr_array, scipy.sparse.csr_matrix])
def test_arrays_are_taken_as_well_as_paths(kind: type):
    matrix = load_matrix(kind([[2, 1], [0, 3]]))
    assert matrix.dtype == np.float64
    np.testing.assert_array_equal(matrix, [[2.0, 1.0], [0.0, 3.0]])


def test_the_callers_array_is_left_alone():
    mine = np.eye(2)
    load_matrix(mine)[0, 0] = 5.0
    assert mine[0, 0] == 1.0


# What cannot be used is refused: which thing, which value, what to do.

BAD_FILES = {
    "rectangle.csv": ("1,2,3\n4,5,6\n", "is not square: 2 rows and 3 columns"),
    "word.csv": ("1,2\n3,four\n", "line 2: 'four' is not a number"),
    "gap.csv": ("1,2\n3,\n", "line 2: '' is not a number"),
    "decimal-comma.csv": ("1,5;2\n3;4\n", "line 1: '1,5' is not a number; write a point"),
    "underscore.csv": ("1_0,2\n3,4\n", "line 1: '1_0' is not a number"),
    "ragged.csv": ("# two\n1,2\n3,4,5\n", "line 3: 3 values where the lines before have 2"),
    "header-only.csv": ("a,b\n", "has no line of numbers"),
    "nothing.csv": (" \n\n", "is empty"),
    "nan.csv": ("1,2\nnan,4\n", r"entry \[1, 0\], counted from 0, is nan"),
    "infinite.csv": ("1,inf\n3,-inf\n", r"entry \[0, 1\].* is inf \(and 1 more\)"),
    "latin.csv": (b"1,2\n3,\xe9\n", "line 2: not UTF-8"),
    "utf16.csv": ("1,2\n3,4\n".encode("utf-16"), "not UTF-8"),
    "not.npy": ("1,2", "is not a whole NumPy file"),
    "bracket.npy": (
        b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f8', 'shape': (3, 3]".ljust(118),
        "is not a whole NumPy file",
    ),
    "zip.npy": (b"PK\x03\x04", "is not a whole NumPy file"),
    "banner.mtx": ("1 2\n", "line 1: no banner"),
    "vector.mtx": ("%%MatrixMarket vector array real general\n1\n1\n", "line 1: no banner"),
    "field.mtx": (f"{BANNER} array octal general\n1 1\n1\n", "line 1: .*'array octal general'"),
    "pattern.mtx": (f"{BANNER} array pattern general\n1 1\n1\n", "line 1: .*'array pattern general'"),
    "banner-only.mtx": (f"{BANNER} array real general\n", "line 2: the matrix's size, 2 whole"),
    "zero.mtx": (f"{BANNER} array real general\n0 0\n", "is empty"),
    "negative.mtx": (f"{BANNER} array real general\n-2 -2\n1\n", "line 2: the matrix's size"),
    "short.mtx": (f"{BANNER} array real general\n2 2\n1\n2\n3\n ", "should hold 4 entries but holds 3"),
    "long.mtx": (f"{BANNER} array real general\n1 1\n1\n2\n", "should hold 1 entries but holds 2"),
    "half-long.mtx": (f"{BANNER} array real symmetric\n2 2\n1\n2\n2\n1\n", "should hold 3 entries"),
    "row-a-line.mtx": (f"{BANNER} array real general\n2 2\n1 2\n3 4\n", "line 3: 2 numbers where 1 belong"),
    "comma.mtx": (f"{BANNER} array real general\n1 1\n1,5\n", "line 3: '1,5' is not a number"),
    "complex.mtx": (f"{BANNER} array real general\n1 1\n1+2j\n", r"line 3: '1\+2j' is not a number"),
    "half.mtx": (f"{BANNER} array integer general\n1 1\n%\n1.5\n", "line 4: not a whole number"),
    "lost.mtx": (f"{BANNER} coordinate real general\n2 2 2\n1 1 1\n", "should hold 2 entries but holds 1"),
    "outside.mtx": (f"{BANNER} coordinate real general\n2 2 1\n3 1 1\n", "line 3: no such entry in a 2 x 2"),
    "before.mtx": (f"{BANNER} coordinate real general\n2 2 1\n0 1 1\n", "line 3: no such entry"),
    "between.mtx": (f"{BANNER} coordinate real general\n2 2 1\n1.5 1 1\n", "line 3: no such entry"),
    "above.mtx": (
        f"{BANNER} coordinate real symmetric\n2 2 1\n1 2 1\n",
        "line 3: only .* below the diagonal",
    ),
    "oblong.mtx": (f"{BANNER} array real symmetric\n2 3\n1\n2\n3\n", "not square: 2 rows and 3 columns"),
    "huge.mtx": (f"{BANNER} coordinate real general\n9000000 9000000 1\n1 1 1\n", f"at most {LARGEST} rows"),
    "immense.mtx": (f"{BANNER} array real general\n{10**400} 1\n", f"at most {LARGEST} rows"),
    "countless.mtx": (f"{BANNER} coordinate real general\n2 2 {10**400}\n1 1 1\n", "line 2: at most"),
    "infinite.mtx": (f"{BANNER} array real general\n1 1\n1e999\n", r"entry \[0, 0\].* is inf"),
    "matrix.txt": ("1\n", "unknown suffix '.txt'; the matrix is read from .npy, .csv, .mtx"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, name: str):
    content, sentence = BAD_FILES[name]
    with pytest.raises(InputError, match=sentence) as caught:
        load_matrix(written(tmp_path / name, content))
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def beyond_float64() -> np.ndarray:
    """2^5000, which is infinite already where a long double is a double, as on Windows."""
    with np.errstate(over="ignore"):
        return np.ldexp(np.ones((1, 1), np.longdouble), 5000)


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        ([], "the matrix is empty"),
        (np.empty((0, 3)), "the matrix is empty"),
        (3.0, "has 0 dimensions"),
        (np.ones((2, 2, 2)), "has 3 dimensions"),
        (np.ones((2, 3)), "not square: 2 rows and 3 columns"),
        ([[1, 2], [3]], "ragged"),
        ([["1", "2"], ["3", "4"]], "not numbers"),
        (np.array([[object()]]), "type object, not numbers"),
        (np.zeros((1, 1), dtype=[("a", float)]), "not numbers"),
        (np.array([["2026-01-01"]], dtype="datetime64[D]"), "not numbers"),
        ([[complex(0, np.inf)]], r"entry \[0, 0\]"),
        (beyond_float64(), "is inf"),
    ],
)
def test_a_bad_array_is_refused(matrix: object, sentence: str):
    with pytest.raises(InputError, match=sentence):
        load_matrix(matrix)


def test_a_pickle_is_never_opened(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(InputError, match="pickle"):
        load_matrix(tmp_path / "a.npy")


def test_a_path_that_is_no_file_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"no\.mtx does not exist"):
        load_matrix(tmp_path / "no.mtx")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        load_matrix(tmp_path / "folder.csv")


@given(st.text('0123456789.,;+-eEjinaf \t\n#%"x', max_size=60))
def test_no_csv_text_gets_past_the_edge(folder: Path, text: str):
    loads_or_refuses(written(folder / "fuzz.csv", text))


@given(
    st.sampled_from(["array", "coordinate"]),
    st.sampled_from(["real", "complex", "integer", "pattern"]),
    st.sampled_from(["general", "symmetric", "hermitian", "skew-symmetric"]),
    st.text("01234 .-e\n%", max_size=40),
)
def test_no_matrix_market_text_gets_past_the_edge(
    folder: Path, layout: str, field: str, symmetry: str, text: str
):
    loads_or_refuses(written(folder / "fuzz.mtx", f"{BANNER} {layout} {field} {symmetry}\n{text}"))


@given(st.data())
def test_no_damaged_npy_gets_past_the_edge(folder: Path, data: st.DataObject):
    np.save(folder / "fuzz.npy", np.eye(3))
    content = bytearray((folder / "fuzz.npy").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    loads_or_refuses(written(folder / "fuzz.npy", bytes(content[: data.draw(st.integers(0, len(content)))])))


def loads_or_refuses(path: Path) -> None:
    try:
        matrix = load_matrix(path)
    except InputError:
        return
    assert matrix.ndim == 2
    assert matrix.shape[0] == matrix.shape[1] > 0
    assert np.isfinite(matrix).all()


# Right-hand sides.


def test_ones_and_random_are_named(rng: np.random.Generator):
    np.testing.assert_array_equal(load_right_hand_sides("ones", 3, rng), [1.0, 1.0, 1.0])
    np.testing.assert_array_equal(
        load_right_hand_sides("random", 4, np.random.default_rng(7)),
        np.random.default_rng(7).standard_normal(4),
    )


def test_random_complex_has_unit_variance(rng: np.random.Generator):
    vector = load_right_hand_sides("random", 20000, rng, complex_values=True)
    assert np.mean(np.abs(vector) ** 2) == pytest.approx(1.0, abs=0.03)
    assert abs(np.mean(vector**2)) < 0.03  # circular


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("column.csv", "1\n2\n3\n"),
        ("row.csv", "1;2;3\n"),
        ("column.mtx", f"{BANNER} array real general\n3 1\n1\n2\n3\n"),
        ("sparse.mtx", f"{BANNER} coordinate real general\n3 1 3\n1 1 1\n3 1 3\n2 1 2\n"),
    ],
)
def test_a_vector_is_a_column_or_a_row(tmp_path: Path, rng: np.random.Generator, name: str, content: str):
    np.testing.assert_array_equal(
        load_right_hand_sides(written(tmp_path / name, content), 3, rng), [1.0, 2.0, 3.0]
    )


def test_a_real_vector_beside_a_complex_matrix_becomes_complex(rng: np.random.Generator):
    assert load_right_hand_sides([1.0, 2.0], 2, rng, complex_values=True).dtype == np.complex128
    assert load_right_hand_sides("ones", 2, rng, complex_values=True).dtype == np.complex128


@pytest.mark.parametrize("complex_values", [False, True])
def test_several_right_hand_sides_are_columns(rng: np.random.Generator, complex_values: bool):
    drawn = load_right_hand_sides("random", 4, rng, complex_values=complex_values, count=3)
    assert drawn.shape == (4, 3)
    assert np.iscomplexobj(drawn) == complex_values
    np.testing.assert_array_equal(
        load_right_hand_sides("identity", 3, rng, complex_values=complex_values), np.eye(3)
    )
    np.testing.assert_array_equal(
        load_right_hand_sides([[1.0, 4.0], [2.0, 5.0]], 2, rng), [[1.0, 4.0], [2.0, 5.0]]
    )
    assert load_right_hand_sides([[1.0], [2.0]], 2, rng).shape == (2,)
    with pytest.raises(InputError, match="has 3 values but the matrix has 2 rows"):
        load_right_hand_sides(np.ones((3, 2)), 2, rng)


def test_a_matrix_need_not_be_square_where_any_shape_will_do(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.arange(6.0).reshape(2, 3))
    assert load_matrix(tmp_path / "a.npy", square=False).shape == (2, 3)
    with pytest.raises(InputError, match="is not square: 2 rows and 3 columns"):
        load_matrix(tmp_path / "a.npy")
    with pytest.raises(
        InputError, match=r"the matrix is empty \(shape \(0, 3\)\); give a matrix of at least one row"
    ):
        load_matrix(np.zeros((0, 3)), square=False)


def test_vectors_are_rows_of_a_file_or_one_alone(tmp_path: Path, rng: np.random.Generator):
    np.save(tmp_path / "many.npy", np.arange(6.0).reshape(2, 3))
    np.save(tmp_path / "one.npy", np.arange(3.0))
    assert load_vectors(tmp_path / "many.npy", 3, 9, rng).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert load_vectors(tmp_path / "one.npy", 3, 9, rng).tolist() == [[0, 1, 2]]
    assert load_vectors(np.arange(3.0)[:, None], 3, 9, rng).tolist() == [
        [0, 1, 2]
    ]  # as a right-hand side is written
    assert load_vectors(np.array([[1.0], [2.0]]), 1, 9, rng).tolist() == [[1], [2]]
    assert load_vectors("zuo2025-4x4-rhs", 4, 9, rng).shape == (1, 4)


def test_random_and_unit_vectors_are_named(rng: np.random.Generator):
    drawn = load_vectors("random", 400, 5, rng)
    assert drawn.shape == (5, 400)
    assert drawn.std() == pytest.approx(1.0, abs=0.1)
    drawn = load_vectors("random", 400, 5, rng, complex_values=True)
    assert np.mean(np.abs(drawn) ** 2) == pytest.approx(1.0, abs=0.1)
    assert np.mean(drawn.real**2) == pytest.approx(0.5, abs=0.1)
    assert load_vectors("unit", 3, 1, rng).tolist() == np.eye(3).tolist()
    assert load_vectors("unit", 3, 1, rng, complex_values=True).dtype == np.complex128
    assert load_vectors(np.ones(3), 3, 1, rng, complex_values=True).dtype == np.complex128


@pytest.mark.parametrize(
    ("vectors", "sentence"),
    [
        (np.ones((2, 4)), r"shape \(2, 4\); give one vector of 3 values, or one in each row of \(count, 3\)"),
        (np.ones((3, 2)), r"shape \(3, 2\)"),
        (np.ones(2), r"shape \(2,\)"),
        (np.ones((0, 3)), r"shape \(0, 3\)"),
        (np.ones((1, 1, 3)), r"shape \(1, 1, 3\)"),
        (np.full((2, 3), np.nan), r"entry \[0, 0\], counted from 0, is nan \(and 5 more\)"),
        (np.full(3, 1j), "the batch of vectors is complex but the matrix is real"),
        ("nowhere.npy", "nowhere.npy does not exist; give the path of the batch of vectors"),
    ],
)
def test_bad_vectors_are_refused(rng: np.random.Generator, vectors: object, sentence: str):
    with pytest.raises(InputError, match=sentence):
        load_vectors(vectors, 3, 1, rng)


def test_a_complex_batch_is_a_real_batch(rng: np.random.Generator):
    matrix, vectors = (load_vectors("random", 4, count, rng, complex_values=True) for count in (3, 5))
    product = to_real_vector(vectors) @ to_real(matrix).T
    assert np.allclose(product, to_real_vector(vectors @ matrix.T))


@pytest.mark.parametrize(
    ("vector", "sentence"),
    [
        ([1.0, 2.0], "has 2 values but the matrix has 3 rows"),
        ([], "is empty; the matrix has 3 rows"),
        (2.0, r"shape \(\)"),
        ([1.0, np.nan, 0.0], r"entry \[1\], counted from 0, is nan"),
        ([1.0, 1j, 0.0], "complex but the matrix is real"),
        ("one", "no sample called one; there are"),
        ("", "^the right-hand side is not given; there are"),
    ],
)
def test_a_bad_vector_is_refused(rng: np.random.Generator, vector: object, sentence: str):
    with pytest.raises(InputError, match=sentence):
        load_right_hand_sides(vector, 3, rng)


# Complex systems as real ones.


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_a_complex_product_is_a_real_product(n: int, seed: int):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((n, n)) + 1j * rng.standard_normal((n, n))
    vector = rng.standard_normal(n) + 1j * rng.standard_normal(n)
    real = to_real(matrix) @ to_real_vector(vector)
    np.testing.assert_allclose(from_real_vector(real), matrix @ vector, atol=1e-12)


def test_what_is_real_stays():
    np.testing.assert_array_equal(to_real(np.eye(2)), np.eye(2))
    np.testing.assert_array_equal(to_real_vector(np.ones(2)), np.ones(2))


def test_an_odd_vector_has_no_halves():
    with pytest.raises(ValueError, match="equal division"):
        from_real_vector(np.ones(3))


# The samples that come with the code.


def test_the_samples_are_made_again_byte_for_byte(tmp_path: Path):
    runpy.run_path(str(ROOT / "docs/make_matrices.py"))["main"](tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in MATRICES.glob("*.mtx")}


def test_the_published_example_is_exact(rng: np.random.Generator):
    matrix = load_matrix(MATRICES / "zuo2025-4x4.mtx")
    digits = np.array([[0o3765, 0o2071, 0o0052, 0o0031], [0o0177, 0o2631, 0o5130, 0o0103]])
    np.testing.assert_array_equal(matrix[:2] * 4096, digits)  # the slices' digits, read as octal numbers
    assert np.linalg.cond(matrix) == pytest.approx(7.7146, abs=5e-5)
    rhs = load_right_hand_sides(MATRICES / "zuo2025-4x4-rhs.mtx", 4, rng)
    np.testing.assert_array_equal(rhs, [0.05, 0.0, 0.05, 0.025])


def test_the_mimo_example_decodes_to_256_qam(rng: np.random.Generator):
    matrix = load_matrix(MATRICES / "mimo-16x16.mtx")
    levels = np.linalg.solve(matrix, load_right_hand_sides(MATRICES / "mimo-16x16-rhs.mtx", 16, rng)) * 16
    nearest = 2 * np.round((levels - 1) / 2) + 1
    assert np.abs(levels - nearest).max() < 0.5
    assert np.abs(nearest).max() <= 15
    np.testing.assert_array_equal(matrix, matrix.T)


def test_the_poisson_example_has_the_known_eigenvalues():
    angles = np.arange(1, 5) * np.pi / 5
    axis = 2 - 2 * np.cos(angles)
    known = np.sort(np.add.outer(axis, axis).ravel())
    np.testing.assert_allclose(np.linalg.eigvalsh(load_matrix(MATRICES / "poisson-4x4-grid.mtx")), known)


def test_the_dominant_example_is_dominant():
    matrix = load_matrix(MATRICES / "dominant-8x8.mtx")
    assert (2 * matrix.diagonal() > np.abs(matrix).sum(axis=1)).all()


def test_the_table_of_samples_is_true():
    rows = [line.split("|") for line in (MATRICES / "README.md").read_text().splitlines() if ".mtx`" in line]
    assert {row[1].strip(" `") for row in rows} == {path.name for path in MATRICES.glob("*.mtx")}
    for row in rows:
        if row[4].strip():
            condition = np.linalg.cond(load_matrix(MATRICES / row[1].strip(" `")))
            assert f"{condition:.4f}" == row[4].strip()


def test_a_sample_is_found_by_its_name_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert set(sample_names()) == {path.stem for path in MATRICES.glob("*.mtx")}
    np.testing.assert_array_equal(load_matrix("zuo2025-4x4"), load_matrix(MATRICES / "zuo2025-4x4.mtx"))
    np.testing.assert_array_equal(
        load_right_hand_sides("zuo2025-4x4-rhs", 4, np.random.default_rng(0)),
        load_right_hand_sides(MATRICES / "zuo2025-4x4-rhs.mtx", 4, np.random.default_rng(0)),
    )


def test_an_unknown_sample_is_answered_with_those_there_are() -> None:
    with pytest.raises(
        InputError, match=r"no sample called zuo; there are dominant-8x8, .*ends in .npy, .csv, .mtx"
    ):
        load_matrix("zuo")
