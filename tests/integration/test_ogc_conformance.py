"""The conformance declaration lists only what a test shows; here is which."""

# ruff: noqa: E501  (names of tests are sentences)

import pytest

from api.ogc.patches import CONFORMANCE
from tests.integration import (
    test_cql2_oracle,
    test_dggs,
    test_distance_filters,
    test_ogc_documents,
    test_ogc_items,
    test_ogc_writes,
    test_tilesets,
)
from tests.integration.processes import test_ogc_processes as processes

FEATURES = "http://www.opengis.net/spec/ogcapi-features-"
TILES = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/"
ZONES = "https://www.opengis.net/spec/ogcapi-dggs-1/1.0/conf/"
PROCESSES = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/"
CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf/"
_SUITE = test_cql2_oracle.test_every_filter_of_the_suite_counts_what_the_suite_says
_SELECT = test_ogc_items.test_parameters_select_and_sort
_WRITE = test_ogc_writes.test_put_replaces_the_whole_item_and_patch_only_what_is_sent
_SCHEMA = test_ogc_documents.test_the_schema_has_titles_units_values_and_roles

SHOWN_BY = {
    f"{FEATURES}1/1.0/conf/core": _SELECT,
    f"{FEATURES}1/1.0/conf/geojson": test_ogc_items.test_a_page_is_a_feature_collection_that_counts_itself,
    f"{FEATURES}1/1.0/conf/html": test_ogc_documents.test_each_document_is_also_a_page_in_two_languages,
    f"{FEATURES}1/1.0/conf/oas30": test_ogc_documents.test_the_definition_is_whole_in_itself_and_gives_qgis_the_page_size,
    f"{FEATURES}2/1.0/conf/crs": test_ogc_writes.test_coordinates_written_in_a_crs_come_back_as_the_same_point,
    f"{FEATURES}3/1.0/conf/queryables": _SCHEMA,
    f"{FEATURES}3/1.0/conf/queryables-query-parameters": _SELECT,
    f"{FEATURES}3/1.0/conf/filter": _SELECT,
    f"{FEATURES}3/1.0/conf/features-filter": _SELECT,
    f"{FEATURES}4/1.0/conf/create-replace-delete": _WRITE,
    f"{FEATURES}4/1.0/conf/update": _WRITE,
    f"{FEATURES}4/1.0/conf/features": test_ogc_writes.test_a_new_item_is_placed_and_found_at_its_location,
    f"{FEATURES}4/1.0/conf/optimistic-locking-etags": test_ogc_writes.test_a_stale_state_is_not_overwritten,
    f"{FEATURES}5/1.0/conf/schemas": _SCHEMA,
    f"{FEATURES}5/1.0/conf/queryables": _SCHEMA,
    f"{FEATURES}5/1.0/conf/sortables": _SCHEMA,
    f"{FEATURES}5/1.0/conf/core-roles-features": _SCHEMA,
    f"{CQL2}cql2-text": _SUITE,
    f"{CQL2}cql2-json": _SELECT,
    f"{CQL2}basic-cql2": _SUITE,
    f"{CQL2}advanced-comparison-operators": _SUITE,
    f"{CQL2}case-insensitive-comparison": _SUITE,
    f"{CQL2}accent-insensitive-comparison": _SUITE,
    f"{CQL2}basic-spatial-functions": _SUITE,
    f"{CQL2}basic-spatial-functions-plus": _SUITE,
    f"{CQL2}spatial-functions": _SUITE,
    f"{CQL2}temporal-functions": _SUITE,
    f"{CQL2}functions": test_distance_filters.test_the_functions_are_listed_with_their_arguments,
    f"{CQL2}arithmetic": _SUITE,
    f"{CQL2}property-property": _SUITE,
    f"{TILES}core": test_tilesets.test_rows_come_before_columns_in_the_standards_path,
    f"{TILES}tileset": test_tilesets.test_a_tileset_says_what_its_tiles_hold_and_where,
    f"{TILES}tilesets-list": test_tilesets.test_links_lead_from_the_first_page_to_a_tile,
    f"{TILES}dataset-tilesets": test_tilesets.test_links_lead_from_the_first_page_to_a_tile,
    f"{TILES}geodata-tilesets": test_tilesets.test_links_lead_from_the_first_page_to_a_tile,
    f"{TILES}collections-selection": test_tilesets.test_one_tile_holds_the_collections_that_are_named,
    f"{TILES}datetime": test_tilesets.test_one_tile_holds_the_collections_that_are_named,
    f"{TILES}mvt": test_tilesets.test_rows_come_before_columns_in_the_standards_path,
    f"{TILES}oas30": test_tilesets.test_the_definition_names_every_operation_of_tiles,
    f"{PROCESSES}core": processes.test_owslib_walks_it,
    f"{PROCESSES}json": processes.TestExecution.test_within_a_document_and_by_reference,
    f"{PROCESSES}oas30": processes.TestDocuments.test_the_definition_names_every_operation,
    f"{PROCESSES}ogc-process-description": processes.TestDocuments.test_a_description_is_whole_in_itself,
    f"{PROCESSES}job-list": processes.TestJobs.test_each_key_lists_its_own_and_an_administrator_all,
    f"{PROCESSES}dismiss": processes.TestJobs.test_dismissed_it_stays_dismissed,
    f"{ZONES}core": test_dggs.test_links_lead_from_the_landing_page_or_a_collection_to_the_data_of_a_zone,
    f"{ZONES}root-dggs": test_dggs.test_the_root_gives_the_counts_of_all_collections,
    f"{ZONES}collection-dggs": test_dggs.test_links_lead_from_the_landing_page_or_a_collection_to_the_data_of_a_zone,
    f"{ZONES}data-retrieval": test_dggs.test_data_hold_a_value_for_each_sub_zone_in_its_order,
    f"{ZONES}data-custom-depths": test_dggs.test_data_hold_a_value_for_each_sub_zone_in_its_order,
    f"{ZONES}data-json": test_dggs.test_data_hold_a_value_for_each_sub_zone_in_its_order,
    f"{ZONES}data-geojson": test_dggs.test_data_come_as_geojson_and_as_plain_cell_ids,
    f"{ZONES}zone-query": test_dggs.test_a_parent_a_box_or_a_subset_narrows_the_zones,
    f"{ZONES}zone-geojson": test_dggs.test_zones_come_as_geojson_and_as_64_bit_numbers,
    f"{ZONES}zone-uint64": test_dggs.test_zones_come_as_geojson_and_as_64_bit_numbers,
}  # fmt: skip


def test_every_class_that_is_declared_is_shown_by_a_test() -> None:
    assert set(CONFORMANCE) == set(SHOWN_BY)
    assert all(test.__name__.startswith("test_") for test in SHOWN_BY.values())


@pytest.mark.parametrize(
    "uri",
    [
        f"{CQL2}basic-cql2", f"{CQL2}cql2-text", f"{FEATURES}3/1.0/conf/filter",
        f"{FEATURES}3/1.0/conf/features-filter", f"{FEATURES}5/1.0/conf/schemas",
    ],
)  # fmt: skip
def test_what_qgis_looks_for_before_it_sends_a_filter_is_declared(uri: str) -> None:
    assert uri in CONFORMANCE
