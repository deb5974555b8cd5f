-- The whole address of a subscription whose address is of a person, such as a telephone number:
-- gis.subscription.target has its end alone.
CREATE TABLE private.subscription_address (
  subscription_id bigint PRIMARY KEY REFERENCES gis.subscription (id) ON DELETE CASCADE,
  address text NOT NULL
);
