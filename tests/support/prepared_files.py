"""Data sets in the files that tensorflow-datasets writes."""

import types

import tensorflow_datasets as tfds


def write(folder, tfds_name, splits, records):
    """Writes splits as ``download_and_prepare`` does, all but the download, without TensorFlow.

    Encoding, hashing into another order, files and metadata are those of the data set's own builder. ``records`` makes
    the records of a split from the builder's features and the split's examples.
    """
    builder = tfds.builder(tfds_name, data_dir=folder, file_format="array_record")
    builder._split_generators = lambda downloads: {
        split: enumerate(records(builder.info.features, examples)) for split, examples in splits.items()
    }
    # What would download needs a package that tensorflow-datasets does not declare.
    builder._make_download_manager = lambda **options: types.SimpleNamespace(downloaded_size=0)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
